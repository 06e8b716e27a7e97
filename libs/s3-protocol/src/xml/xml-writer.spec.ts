import { describe, expect, it } from '@jest/globals';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import fc from 'fast-check';
import { escapeXml, xmlDocument, xmlElement } from './xml-writer.js';

describe('xmlDocument', () => {
  it('writes declaration, namespace, children; leaves out undefined', () => {
    expect(xmlDocument('A', [xmlElement('B', 1), undefined, xmlElement('C', [xmlElement('D', true)])])).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<A xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><B>1</B><C><D>true</D></C></A>',
    );
    expect(xmlDocument('A', '', '')).toBe('<?xml version="1.0" encoding="UTF-8"?>\n<A></A>');
  });

  it('writes attributes escaped', () => {
    expect(xmlDocument('A', [xmlElement('B', 'x', { 'xsi:type': '"<' })], '')).toContain(
      '<B xsi:type="&quot;&lt;">x</B>',
    );
  });

  it('escapes markup, carriage returns, controls and half characters', () => {
    expect(escapeXml('<a href="&">')).toBe('&lt;a href=&quot;&amp;&quot;&gt;');
    expect(escapeXml('\r\n\t\u0001\uffff')).toBe('&#xd;\n\t&#x1;&#xffff;');
    expect(escapeXml('\ud800x\udc00😀')).toBe('\ufffdx\ufffd😀');
  });

  it('any text comes back from another parser', () => {
    const parser = new XMLParser({ parseTagValue: false, trimValues: false, htmlEntities: false });
    const text = fc.string({
      unit: fc.constantFrom('<', '>', '&', '"', "'", ']', 'a', ' ', '\n', 'é', '😀', '&amp;', ']]>', '<!--'),
    });
    fc.assert(
      fc.property(text, (value) => {
        const document = xmlDocument('A', [xmlElement('B', `x${value}`)], '');
        expect(XMLValidator.validate(document)).toBe(true);
        expect((parser.parse(document) as { A: { B: string } }).A.B).toBe(`x${value}`);
      }),
      { numRuns: 200 },
    );
  });
});
