/**
 * Headers as they arrived: order and duplicates kept, lookups by lower-case name.
 * Values are byte strings: every character stands for one byte of the wire (latin1), as `node:http` hands them over.
 */
export class HeaderList {
  /** Number of header lines. */
  readonly count: number;
  private readonly valuesByName = new Map<string, string | string[]>();

  /** `rawHeaders` is flat: name, value, name, value … as in `IncomingMessage.rawHeaders`. */
  constructor(rawHeaders: readonly string[]) {
    this.count = rawHeaders.length >> 1;
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      const name = rawHeaders[index].toLowerCase();
      const value = rawHeaders[index + 1];
      const held = this.valuesByName.get(name);
      if (held === undefined) this.valuesByName.set(name, value);
      else if (typeof held === 'string') this.valuesByName.set(name, [held, value]);
      else held.push(value);
    }
  }

  static from(record: Readonly<Record<string, string | readonly string[]>>): HeaderList {
    const flat: string[] = [];
    for (const [name, values] of Object.entries(record)) {
      for (const value of typeof values === 'string' ? [values] : values) flat.push(name, value);
    }
    return new HeaderList(flat);
  }

  /** First value of the header, or undefined. */
  get(lowerName: string): string | undefined {
    const held = this.valuesByName.get(lowerName);
    return typeof held === 'object' ? held[0] : held;
  }

  getAll(lowerName: string): readonly string[] {
    const held = this.valuesByName.get(lowerName);
    if (held === undefined) return [];
    return typeof held === 'string' ? [held] : held;
  }

  /** All values of the header joined with commas, as RFC 9110 reads repeated lines; undefined without the header. */
  joined(lowerName: string): string | undefined {
    const held = this.valuesByName.get(lowerName);
    return typeof held === 'object' ? held.join(',') : held;
  }

  has(lowerName: string): boolean {
    return this.valuesByName.has(lowerName);
  }

  /** Distinct lower-case names in order of arrival. */
  names(): IterableIterator<string> {
    return this.valuesByName.keys();
  }
}
