/**
 * A strict reader of the small documents that clients send. What would surprise:
 * - texts stay texts (`007` is no number), and whitespace in them is kept;
 * - document types and entity declarations are refused, so nothing can expand; of references, the five of XML and
 *   numeric ones are known;
 * - attributes have to be well-formed and are dropped; a `>` in one is refused;
 * - one pass, because the largest documents arrive on the thread that serves everybody: a general parser takes ten times
 *   as long for them.
 * Every failure is MalformedXML.
 */
import { HoldfastError } from '@holdfast/contracts';

/** An element with its direct text; attributes are not kept. */
export interface ReadElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly ReadElement[];
}

export interface XmlLimits {
  readonly sizeMaxBytes: number;
  readonly depthMax: number;
  /** Tags, comments and the rest that opens with an angle: each costs far more than its bytes. */
  readonly marksMax: number;
}

const TAG_MAX_CHARACTERS = 1024;
/** A key of 1024 bytes, each as the longest reference, fits ten times. */
const REFERENCED_TEXT_MAX_CHARACTERS = 128 * 1024;
const UTF8 = new TextDecoder('utf-8', { fatal: true });
const DECLARATION = /^<\?xml[ \t\n]/;
const DECLARED_ENCODING = /[ \t\n]encoding[ \t\n]*=[ \t\n]*["']([^"']*)["']/;
const NAME = '[A-Za-z_][\\w.:-]*';
const ATTRIBUTE = `[ \\t\\n]+${NAME}[ \\t\\n]*=[ \\t\\n]*(?:"[^"<]*"|'[^'<]*')`;
const PLAIN_TAG = new RegExp(`^${NAME}$`);
const START_TAG = new RegExp(`^(${NAME})(?:${ATTRIBUTE})*[ \\t\\n]*(/?)$`);
const END_TAG = new RegExp(`^/(${NAME})[ \\t\\n]*$`);
const NOT_BLANK = /[^ \t\n\r]/;
const REFERENCE_MAX_CHARACTERS = 12;
const NUMERIC = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/;
const NAMED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

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
  if (text.includes('\0')) throw malformedXml();
  const root = new XmlScanner(text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text, limits).document();
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

/** Reads from left to right and never back. */
class XmlScanner {
  private at = 0;
  private marks = 0;

  constructor(
    private readonly text: string,
    private readonly limits: XmlLimits,
  ) {}

  document(): ReadElement {
    if (DECLARATION.test(this.text)) this.declaration();
    this.skipMisc();
    const root = this.element(1);
    this.skipMisc();
    if (this.at !== this.text.length) throw malformedXml();
    return root;
  }

  private declaration(): void {
    const content = this.until('?>', 0);
    const encoding = DECLARED_ENCODING.exec(content)?.[1].toLowerCase();
    if (encoding !== undefined && encoding !== 'utf-8' && encoding !== 'utf8') throw malformedXml();
  }

  /** Blanks, comments and processing instructions outside of the root. */
  private skipMisc(): void {
    for (;;) {
      const angle = this.text.indexOf('<', this.at);
      const end = angle < 0 ? this.text.length : angle;
      if (NOT_BLANK.test(this.text.slice(this.at, end))) throw malformedXml();
      this.at = end;
      if (!this.skipped()) return;
    }
  }

  /** True when a comment or a processing instruction began here, and was skipped. */
  private skipped(): boolean {
    if (this.text.startsWith('<!--', this.at)) this.until('-->', 4);
    else if (this.text.startsWith('<?', this.at)) this.until('?>', 2);
    else return false;
    return true;
  }

  private element(depth: number): ReadElement {
    if (depth > this.limits.depthMax || this.text[this.at] !== '<') throw malformedXml();
    const tag = this.tag();
    if (PLAIN_TAG.test(tag)) return this.content(tag, depth);
    const match = START_TAG.exec(tag);
    if (match === null) throw malformedXml();
    const [, name, slash] = match;
    return slash === '' ? this.content(name, depth) : { name, text: '', children: [] };
  }

  /** From behind the start tag to behind the end tag. */
  private content(name: string, depth: number): ReadElement {
    const children: ReadElement[] = [];
    let text = '';
    for (;;) {
      const angle = this.text.indexOf('<', this.at);
      if (angle < 0) throw malformedXml();
      if (angle > this.at) text += decodeReferences(this.text.slice(this.at, angle));
      this.at = angle;
      if (this.text[angle + 1] === '/') {
        if (END_TAG.exec(this.tag())?.[1] !== name) throw malformedXml();
        return { name, text, children };
      }
      if (this.text.startsWith('<![CDATA[', angle)) text += this.until(']]>', 9);
      else if (!this.skipped()) children.push(this.element(depth + 1));
    }
  }

  /** What stands between the angles that begin here. */
  private tag(): string {
    this.mark();
    const end = this.text.indexOf('>', this.at);
    if (end < 0 || end - this.at > TAG_MAX_CHARACTERS) throw malformedXml();
    const tag = this.text.slice(this.at + 1, end);
    this.at = end + 1;
    return tag;
  }

  /** What stands between an opening of `openLength` characters here and `close`. */
  private until(close: string, openLength: number): string {
    this.mark();
    const begin = this.at + openLength;
    const end = this.text.indexOf(close, begin);
    if (end < 0) throw malformedXml();
    this.at = end + close.length;
    return this.text.slice(begin, end);
  }

  private mark(): void {
    this.marks += 1;
    if (this.marks > this.limits.marksMax) throw malformedXml();
  }
}

function decodeReferences(text: string): string {
  let ampersand = text.indexOf('&');
  if (ampersand < 0) return text;
  if (text.length > REFERENCED_TEXT_MAX_CHARACTERS) throw malformedXml();
  let decoded = '';
  let from = 0;
  for (; ampersand >= 0; ampersand = text.indexOf('&', from)) {
    const end = text.indexOf(';', ampersand);
    if (end < 0 || end - ampersand > REFERENCE_MAX_CHARACTERS) throw malformedXml();
    decoded += text.slice(from, ampersand) + referenced(text.slice(ampersand + 1, end));
    from = end + 1;
  }
  return decoded + text.slice(from);
}

function referenced(reference: string): string {
  const named = NAMED.get(reference);
  if (named !== undefined) return named;
  const numeric = NUMERIC.exec(reference);
  if (numeric === null) throw malformedXml();
  const code = numeric[1] === undefined ? parseInt(numeric[2], 10) : parseInt(numeric[1], 16);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw malformedXml();
  return String.fromCodePoint(code);
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
  if (NOT_BLANK.test(parent.text)) throw malformedXml();
  return parent.children;
}

/** The text of one that holds no elements; undefined without the element. */
export function textOf(element: ReadElement | undefined): string | undefined {
  if (element === undefined) return undefined;
  if (element.children.length > 0) throw malformedXml();
  return element.text;
}
