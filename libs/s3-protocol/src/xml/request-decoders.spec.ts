import { describe, expect, it } from '@jest/globals';
import {
  COMPLETE_BODY_MAX_BYTES,
  decodeCompleteMultipartUpload,
  decodeCreateBucketConfiguration,
  decodeDelete,
  DELETE_BODY_MAX_BYTES,
} from './request-decoders.js';

const malformed = expect.objectContaining({ code: 'MalformedXML' });
const deleteOf = (body: string | Buffer) => decodeDelete(Buffer.from(body as string));
const keyOf = (keyXml: string): string =>
  deleteOf(`<Delete><Object><Key>${keyXml}</Key></Object></Delete>`).objects[0].key;

describe('decodeDelete', () => {
  it('reads what SDKs send', () => {
    const body =
      '<?xml version="1.0" encoding="UTF-8"?>\n<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\n' +
      '  <Object><Key>a</Key></Object>\n  <Object><Key>b</Key><VersionId>null</VersionId></Object>\n' +
      '  <Quiet>true</Quiet>\n</Delete>\n';
    expect(deleteOf(body)).toEqual({ quiet: true, objects: [{ key: 'a' }, { key: 'b', versionId: 'null' }] });
    expect(deleteOf('\ufeff<Delete><Object><Key>a</Key></Object></Delete>')).toEqual({
      quiet: false,
      objects: [{ key: 'a' }],
    });
  });

  it('reads the conditions of a conditional delete', () => {
    const body =
      '<Delete><Object><Key>a</Key><ETag>&quot;e&quot;</ETag><LastModifiedTime>t</LastModifiedTime><Size>12</Size></Object></Delete>';
    expect(deleteOf(body).objects).toEqual([{ key: 'a', etag: 'e', lastModifiedTime: 't', sizeBytes: 12 }]);
  });

  it.each(['007', '1e3', 'true', '0x10', '1.0', '+5', 'null', 'Infinity', '__proto__', 'constructor', 'toString'])(
    'XE2: the key %s stays that text',
    (key) => {
      expect(keyOf(key)).toBe(key);
    },
  );

  it.each([
    [' a ', ' a '],
    [' ', ' '],
    ['\n', '\n'],
    ['a&amp;b&lt;c&gt;d&quot;e&apos;f', `a&b<c>d"e'f`],
    ['&#x41;&#66;&#13;&#x1F600;', 'AB\r😀'],
    ['&amp;lt;', '&lt;'],
    ['<![CDATA[a<b&amp;]]>c', 'a<b&amp;c'],
    ['a<!-- comment -->b', 'ab'],
    ['a<?pi x?>b', 'ab'],
    ['a\r\nb\rc', 'a\nb\nc'],
    [']]>', ']]>'],
    ['a>b', 'a>b'],
    ['é€😀', 'é€😀'],
    ['../x//y', '../x//y'],
  ])('reads the key %j as %j', (xml, key) => {
    expect(keyOf(xml)).toBe(key);
  });

  it.each([
    "<?xml version='1.0'?>\r\n<!-- c -->\r\n<Delete\n a='1' b = \"2\" >KEY</Delete >\r\n<!-- d --><?e?>\n",
    '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/" xmlns:xsi="x" xsi:type="&amp;">KEY</Delete\t>',
    '<?xml version="1.0" encoding = "UTF-8" standalone="yes"?><Delete>KEY</Delete>',
  ])('reads %j', (body) => {
    expect(deleteOf(body.replace('KEY', "<Object x='/'><Key >a</Key></Object>")).objects).toEqual([{ key: 'a' }]);
  });

  it.each([
    ['nothing', ''],
    ['no XML', 'hello'],
    ['another root', '<Other><Object><Key>a</Key></Object></Other>'],
    ['no keys', '<Delete></Delete>'],
    ['quiet alone', '<Delete><Quiet>true</Quiet></Delete>'],
    ['an object without key', '<Delete><Object></Object></Delete>'],
    ['an empty key', '<Delete><Object><Key></Key></Object></Delete>'],
    ['two keys in one object', '<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>'],
    ['an element in a key', '<Delete><Object><Key><b>a</b></Key></Object></Delete>'],
    ['an unknown element', '<Delete><Object><Key>a</Key><Kez>a</Kez></Object></Delete>'],
    ['an unknown sibling', '<Delete><Object><Key>a</Key></Object><X/></Delete>'],
    ['text beside elements', '<Delete>x<Object><Key>a</Key></Object></Delete>'],
    ['a strange quiet', '<Delete><Quiet>1</Quiet><Object><Key>a</Key></Object></Delete>'],
    ['quiet twice', '<Delete><Quiet>true</Quiet><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>'],
    ['a size that is none', '<Delete><Object><Key>a</Key><Size>1e3</Size></Object></Delete>'],
    ['junk behind the root', '<Delete><Object><Key>a</Key></Object></Delete>junk'],
    ['a second root', '<Delete><Object><Key>a</Key></Object></Delete><Delete/>'],
    ['junk before the root', 'junk<Delete><Object><Key>a</Key></Object></Delete>'],
    ['an open root', '<Delete><Object><Key>a</Key></Object>'],
    ['crossed tags', '<Delete><Object><Key>a</Object></Key></Delete>'],
    ['an attribute without a value', '<Delete a><Object><Key>a</Key></Object></Delete>'],
    ['an attribute without quotes', '<Delete a=b><Object><Key>a</Key></Object></Delete>'],
    ['an open attribute', '<Delete a="b><Object><Key>a</Key></Object></Delete>'],
    ['attributes without a blank between', '<Delete a="b"c="d"><Object><Key>a</Key></Object></Delete>'],
    ['an attribute in an end tag', '<Delete><Object><Key>a</Key></Object></Delete a="b">'],
    ['a blank before a name', '< Delete><Object><Key>a</Key></Object></ Delete>'],
    ['an open comment', '<Delete><Object><Key>a</Key></Object></Delete><!-- x'],
    ['an open CDATA section', '<Delete><Object><Key><![CDATA[a</Key></Object></Delete>'],
    ['CDATA behind the root', '<Delete><Object><Key>a</Key></Object></Delete><![CDATA[x]]>'],
    ['an end tag alone', '</Delete>'],
    ['an open declaration', '<?xml version="1.0"'],
    ['a reference without an end', '<Delete><Object><Key>&amp</Key></Object></Delete>'],
    ['a reference across a tag', '<Delete><Object><Key>&am</Key></Object>p;</Delete>'],
    ['a broken tag', '<Delete><Object><Key>a</Key></Object></Delete'],
    ['a DOCTYPE around a comment', '<!DOCTYPE d [<!-- x -->]><Delete><Object><Key>a</Key></Object></Delete>'],
    ['a DOCTYPE', '<!DOCTYPE Delete><Delete><Object><Key>a</Key></Object></Delete>'],
    [
      'an external entity',
      '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>',
    ],
    ['an unknown entity', '<Delete><Object><Key>&x;</Key></Object></Delete>'],
    ['an HTML entity', '<Delete><Object><Key>&nbsp;</Key></Object></Delete>'],
    ['a bare ampersand', '<Delete><Object><Key>a & b</Key></Object></Delete>'],
    ['a reference to NUL', '<Delete><Object><Key>&#0;</Key></Object></Delete>'],
    ['a reference to half a character', '<Delete><Object><Key>&#xD800;</Key></Object></Delete>'],
    ['a reference beyond Unicode', '<Delete><Object><Key>&#x110000;</Key></Object></Delete>'],
    ['another encoding', '<?xml version="1.0" encoding="ISO-8859-1"?><Delete><Object><Key>a</Key></Object></Delete>'],
    ['UTF-16', Buffer.from('\ufeff<Delete><Object><Key>a</Key></Object></Delete>', 'utf16le')],
    ['bytes that are no UTF-8', Buffer.from('<Delete><Object><Key>\xff</Key></Object></Delete>', 'latin1')],
    ['NUL', '<Delete><Object><Key>a\0</Key></Object></Delete>'],
    ['a prototype for an element', '<Delete><__proto__><Key>a</Key></__proto__></Delete>'],
    ['a constructor for an element', '<Delete><Object><Key>a</Key><constructor>x</constructor></Object></Delete>'],
  ])('XE1: %s is MalformedXML', (_, body) => {
    expect(() => deleteOf(body)).toThrow(malformed);
  });

  it('XE3: takes 1000 keys and refuses 1001', () => {
    const body = (keys: number) => `<Delete>${'<Object><Key>k</Key></Object>'.repeat(keys)}</Delete>`;
    expect(deleteOf(body(1000)).objects).toHaveLength(1000);
    expect(() => deleteOf(body(1001))).toThrow(malformed);
  });

  it('takes 1000 keys of the greatest length', () => {
    const body = `<Delete>${`<Object><Key>${'k'.repeat(1024)}</Key></Object>`.repeat(1000)}</Delete>`;
    expect(deleteOf(body).objects[999].key).toHaveLength(1024);
  });

  it.each([
    ['50,000 levels', `${'<a>'.repeat(50_000)}${'</a>'.repeat(50_000)}`],
    ['four levels', '<Delete><Object><Key><a></a></Key></Object></Delete>'],
    ['many open tags', '<Delete>'.repeat(50_000)],
    ['many angles', '<'.repeat(1_000_000)],
    ['many comments', '<!--'.repeat(200_000)],
    ['many ampersands', `<Delete><Object><Key>${'&'.repeat(1_000_000)}</Key></Object></Delete>`],
    ['many elements', `<Delete>${'<a/>'.repeat(50_000)}</Delete>`],
    [
      'one comment for each key and more',
      `<Delete>${'<Object><Key>k</Key></Object>'}${'<!---->'.repeat(50_000)}</Delete>`,
    ],
    ['a tag of two thousand letters', `<Delete ${'a'.repeat(2000)}="b"><Object><Key>k</Key></Object></Delete>`],
    ['a text of references', `<Delete><Object><Key>${'&amp;'.repeat(50_000)}</Key></Object></Delete>`],
    ['many attributes', `<Delete ${'a="b" '.repeat(100_000)}></Delete>`],
    ['one endless attribute', `<Delete a="${'b'.repeat(1_000_000)}`],
    ['many entities', `<!DOCTYPE d [${'<!ENTITY a "b">'.repeat(50_000)}]><Delete/>`],
  ])('XE1: %s end as MalformedXML within 50 ms', (_, body) => {
    const honest = `<Delete>${`<Object><Key>${'k'.repeat(20)}</Key></Object>`.repeat(1000)}</Delete>`;
    // An honest list takes at most 2 ms where the 50 were set; a machine that is slow for a minute is slow for both.
    const refusalMs = leastProcessorMs(() => expect(() => deleteOf(body)).toThrow(malformed));
    const honestMs = leastProcessorMs(() => void deleteOf(honest));
    expect(refusalMs).toBeLessThan(25 * honestMs);
  });

  it('refuses a body over the limit before it reads it', () => {
    const body = `<Delete><Object><Key>a</Key></Object>${' '.repeat(DELETE_BODY_MAX_BYTES)}</Delete>`;
    expect(() => deleteOf(body)).toThrow(malformed);
  });
});

describe('decodeCompleteMultipartUpload', () => {
  const complete = (body: string) => decodeCompleteMultipartUpload(Buffer.from(body));
  const part = (number: string | number, etag = '"e"') =>
    `<Part><ETag>${etag}</ETag><PartNumber>${number}</PartNumber></Part>`;

  it('reads parts in the order of the client', () => {
    const body =
      '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
      `${part(2)}${part(1, '&quot;f&quot;')}` +
      '<Part><PartNumber>3</PartNumber><ETag>00e1</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>' +
      '</CompleteMultipartUpload>';
    expect(complete(body)).toEqual([
      { partNumber: 2, etag: 'e', checksums: {} },
      { partNumber: 1, etag: 'f', checksums: {} },
      { partNumber: 3, etag: '00e1', checksums: { CRC32: 'AAAAAA==' } },
    ]);
  });

  it.each([
    ['no parts', '<CompleteMultipartUpload></CompleteMultipartUpload>'],
    ['an empty body', ''],
    ['part 0', `<CompleteMultipartUpload>${part(0)}</CompleteMultipartUpload>`],
    ['part 10001', `<CompleteMultipartUpload>${part(10_001)}</CompleteMultipartUpload>`],
    ['part -1', `<CompleteMultipartUpload>${part(-1)}</CompleteMultipartUpload>`],
    ['part 1.5', `<CompleteMultipartUpload>${part('1.5')}</CompleteMultipartUpload>`],
    ['no number', '<CompleteMultipartUpload><Part><ETag>e</ETag></Part></CompleteMultipartUpload>'],
    ['no ETag', '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>'],
    ['another element', `<CompleteMultipartUpload>${part(1)}<Quiet>true</Quiet></CompleteMultipartUpload>`],
  ])('%s is MalformedXML', (_, body) => {
    expect(() => complete(body)).toThrow(malformed);
  });

  it('XE3: takes 10,000 parts with checksums and refuses 10,001', () => {
    const checksum = `<ChecksumSHA256>${'A'.repeat(43)}=</ChecksumSHA256>`;
    const list = Array.from({ length: 10_000 }, (_, index) =>
      part(index + 1, `"${'e'.repeat(32)}"`).replace('</Part>', `${checksum}</Part>`),
    );
    const body = `<CompleteMultipartUpload>${list.join('\n  ')}</CompleteMultipartUpload>`;
    expect(Buffer.byteLength(body)).toBeLessThan(COMPLETE_BODY_MAX_BYTES);
    expect(complete(body)).toHaveLength(10_000);
    expect(() => complete(body.replace('</CompleteMultipartUpload>', `${part(1)}</CompleteMultipartUpload>`))).toThrow(
      malformed,
    );
  });
});

describe('decodeCreateBucketConfiguration', () => {
  const create = (body: string) => decodeCreateBucketConfiguration(Buffer.from(body));

  it('reads the constraint, or none', () => {
    expect(
      create(
        '<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>',
      ),
    ).toEqual({
      locationConstraint: 'eu-west-1',
    });
    expect(create('<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>')).toEqual({
      locationConstraint: '',
    });
    expect(create('<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>')).toEqual({});
    expect(create('')).toEqual({});
  });

  it('tags are refused by name, never dropped', () => {
    const tags = (inner: string) => `<CreateBucketConfiguration><Tags>${inner}</Tags></CreateBucketConfiguration>`;
    expect(create(tags(''))).toEqual({});
    expect(() => create(tags('<Tag><Key>a</Key><Value>b</Value></Tag>'))).toThrow('Tags at the creation of a bucket');
  });

  it.each([
    'x',
    '<Other/>',
    '<CreateBucketConfiguration>',
    '<CreateBucketConfiguration><X/></CreateBucketConfiguration>',
  ])('%s is MalformedXML', (body) => {
    expect(() => create(body)).toThrow(malformed);
  });
});

/** Of three attempts. Time of the processor: the machine may have other things to do. */
function leastProcessorMs(work: () => void): number {
  const attempts = [0, 1, 2].map(() => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...attempts);
}
