/**
 * A strict reader of the small documents that clients send. What would surprise:
 * - texts stay texts (`007` is no number), and whitespace in them is kept;
 * - document types and entity declarations are refused before the parser sees them, so nothing can expand;
 * - the parser leaves references alone, and they are decoded here: the five of XML and numeric ones.
 * Every failure is MalformedXML.
 */
import { HoldfastError } from '@holdfast/contracts';
import { XMLParser, XMLValidator } from 'fast-xml-parser';

/** An element with its direct text; attributes are not kept. */
export interface ReadElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly ReadElement[];
}

export interface XmlLimits {
  readonly sizeMaxBytes: number;
  readonly depthMax: number;
  /** Tags, comments and the rest that opens with an angle: each costs the parser far more than its bytes. */
  readonly marksMax: number;
}

const TEXT = '#text';
const CDATA = '#cdata';
const ATTRIBUTES = ':@';
const TAG_MAX_CHARACTERS = 1024;
/** A key of 1024 bytes, each as the longest reference, fits ten times. */
const REFERENCED_TEXT_MAX_CHARACTERS = 128 * 1024;
const UTF8 = new TextDecoder('utf-8', { fatal: true });
const DECLARED_ENCODING = /^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)["']/;
const OTHER_DECLARATION = /<!(?!--|\[CDATA\[)/;
const REFERENCE = /&([^;&]{0,12});|&/g;
const NAMED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
  textNodeName: TEXT,
  cdataPropName: CDATA,
  // The depth limit of the caller is smaller; this one bounds the parser's own work.
  maxNestedTags: 32,
});

export function malformedXml(cause?: unknown): HoldfastError {
  return new HoldfastError('MalformedXML', undefined, {}, { cause });
}

/**
 * Parses a document whose root is `rootName`.
 * @throws HoldfastError MalformedXML
 */
export function readXml(body: Buffer, rootName: string, limits: XmlLimits): ReadElement {
  if (body.length > limits.sizeMaxBytes) throw malformedXml();
  const text = decodeUtf8(body);
  refuseDeclarations(text);
  refuseShape(text, limits);
  const roots = parse(text).filter((node) => !isBlankText(node));
  if (roots.length !== 1) throw malformedXml();
  const root = readElement(roots[0]);
  if (root.name !== rootName) throw malformedXml();
  return root;
}

function decodeUtf8(body: Buffer): string {
  try {
    return UTF8.decode(body);
  } catch (cause) {
    throw malformedXml(cause);
  }
}

function refuseDeclarations(text: string): void {
  const encoding = DECLARED_ENCODING.exec(text)?.[1].toLowerCase();
  if (encoding !== undefined && encoding !== 'utf-8' && encoding !== 'utf8') throw malformedXml();
  if (OTHER_DECLARATION.test(text) || text.includes('\0')) throw malformedXml();
}

/** One pass over the tags before the parser runs: nesting, numbers and long tags cost it time and stack. */
function refuseShape(text: string, { depthMax, marksMax }: XmlLimits): void {
  let depth = 0;
  let marks = 0;
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at + 1)) {
    if (++marks > marksMax) throw malformedXml();
    const next = text[at + 1];
    if (next === '!' || next === '?') {
      const close = next === '?' ? '?>' : text[at + 2] === '[' ? ']]>' : '-->';
      const end = text.indexOf(close, at + 2);
      if (end < 0) throw malformedXml();
      at = end;
      continue;
    }
    const end = text.indexOf('>', at);
    if (end < 0 || end - at > TAG_MAX_CHARACTERS) throw malformedXml();
    if (next === '/') depth--;
    else if (text[end - 1] !== '/') depth++;
    if (depth > depthMax || depth < 0) throw malformedXml();
    at = end;
  }
}

type RawNode = Readonly<Record<string, unknown>>;

function parse(text: string): readonly RawNode[] {
  try {
    if (XMLValidator.validate(text) !== true) throw malformedXml();
    const nodes: unknown = parser.parse(text);
    if (!Array.isArray(nodes)) throw malformedXml();
    return nodes as readonly RawNode[];
  } catch (cause) {
    throw cause instanceof HoldfastError ? cause : malformedXml(cause);
  }
}

function isBlankText(node: RawNode): boolean {
  const text = node[TEXT];
  return typeof text === 'string' && text.trim() === '';
}

function nameOf(node: RawNode): string {
  const name = Object.keys(node).find((candidate) => candidate !== ATTRIBUTES);
  if (name === undefined) throw malformedXml();
  return name;
}

function readElement(node: RawNode): ReadElement {
  const name = nameOf(node);
  const content = node[name];
  if (name === TEXT || name === CDATA || !Array.isArray(content)) throw malformedXml();
  const children: ReadElement[] = [];
  let text = '';
  for (const child of content as readonly RawNode[]) {
    const childName = nameOf(child);
    if (childName === TEXT) text += decodeReferences(String(child[TEXT]));
    else if (childName === CDATA) text += cdataText(child[CDATA]);
    else children.push(readElement(child));
  }
  return { name, text, children };
}

function cdataText(content: unknown): string {
  if (!Array.isArray(content)) throw malformedXml();
  return (content as readonly RawNode[]).map((node) => String(node[TEXT] ?? '')).join('');
}

function decodeReferences(text: string): string {
  if (!text.includes('&')) return text;
  if (text.length > REFERENCED_TEXT_MAX_CHARACTERS) throw malformedXml();
  return text.replace(REFERENCE, (_, reference: string | undefined) => {
    const named = NAMED.get(reference ?? '');
    if (named !== undefined) return named;
    const numeric = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(reference ?? '');
    if (numeric === null) throw malformedXml();
    const code = numeric[1] === undefined ? parseInt(numeric[2], 10) : parseInt(numeric[1], 16);
    if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw malformedXml();
    return String.fromCodePoint(code);
  });
}

/**
 * The children of `parent` by name, each at most once, none unknown, and no text beside them.
 * @throws HoldfastError MalformedXML
 */
export function fieldsOf(parent: ReadElement, known: ReadonlySet<string>): ReadonlyMap<string, ReadElement> {
  const fields = new Map<string, ReadElement>();
  for (const child of childrenOf(parent)) {
    if (!known.has(child.name) || fields.has(child.name)) throw malformedXml();
    fields.set(child.name, child);
  }
  return fields;
}

/** The child elements of one that holds no text of its own. */
export function childrenOf(parent: ReadElement): readonly ReadElement[] {
  if (parent.text.trim() !== '') throw malformedXml();
  return parent.children;
}

/** The text of one that holds no elements; undefined without the element. */
export function textOf(element: ReadElement | undefined): string | undefined {
  if (element === undefined) return undefined;
  if (element.children.length > 0) throw malformedXml();
  return element.text;
}
