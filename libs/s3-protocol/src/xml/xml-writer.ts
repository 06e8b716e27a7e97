/** A text, or child elements of which undefined ones are left out. */
export type XmlContent = string | number | boolean | readonly (XmlNode | undefined)[];

export interface XmlNode {
  readonly name: string;
  readonly content: XmlContent;
  readonly attributes?: Readonly<Record<string, string>>;
}

export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

// Control characters have no place in XML 1.0; as references they reach parsers that are not strict, as S3 writes them.
const SPECIAL =
  /[<>&"\u0000-\u0008\u000b-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' };

export function escapeXml(text: string): string {
  return text.replace(SPECIAL, (mark) => {
    const entity = ENTITIES[mark];
    if (entity !== undefined) return entity;
    const code = mark.charCodeAt(0);
    // Half a surrogate pair is no character at all.
    return code >= 0xd800 && code <= 0xdfff ? '\ufffd' : `&#x${code.toString(16)};`;
  });
}

export function xmlElement(name: string, content: XmlContent, attributes?: Readonly<Record<string, string>>): XmlNode {
  return attributes === undefined ? { name, content } : { name, content, attributes };
}

function write(node: XmlNode): string {
  let open = node.name;
  for (const [name, value] of Object.entries(node.attributes ?? {})) open += ` ${name}="${escapeXml(value)}"`;
  if (typeof node.content !== 'object') return `<${open}>${escapeXml(String(node.content))}</${node.name}>`;
  let inner = '';
  for (const child of node.content) if (child !== undefined) inner += write(child);
  return `<${open}>${inner}</${node.name}>`;
}

/** A whole document with its declaration, in the S3 namespace unless `namespace` is ''. */
export function xmlDocument(name: string, content: XmlContent, namespace = S3_NAMESPACE): string {
  const root = xmlElement(name, content, namespace === '' ? undefined : { xmlns: namespace });
  return `<?xml version="1.0" encoding="UTF-8"?>\n${write(root)}`;
}
