const LAST_CODE_POINT = 0x10ffff;

/**
 * The least text greater than every text that begins with `prefix`, in the byte order of UTF-8 (which is that of code points);
 * undefined when there is none. The last code point is raised, over the gap of the surrogates; U+10FFFF cannot be.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = [...prefix];
  while (points.length > 0) {
    const last = points.pop()?.codePointAt(0) as number;
    if (last === LAST_CODE_POINT) continue;
    return points.join('') + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

/** The least storable key after `key`: U+0000 is in no key. */
export function nextKey(key: string): string {
  return `${key}\u0001`;
}

/** Where a listing begins: undefined when nothing can follow. Texts that no key can hold are turned into their neighbours. */
export function listStart(after: { afterKey?: string; afterPrefix?: string }): string | undefined {
  const places: string[] = [''];
  if (after.afterKey !== undefined && after.afterKey !== '') places.push(nextKey(storable(after.afterKey)));
  if (after.afterPrefix !== undefined && after.afterPrefix !== '') {
    // No key begins with a prefix that holds U+0000: what follows it follows the part before that.
    const end = after.afterPrefix.includes('\0')
      ? nextKey(storable(after.afterPrefix))
      : prefixEnd(after.afterPrefix.toWellFormed());
    if (end === undefined) return undefined;
    places.push(end);
  }
  return places.reduce((a, b) => (Buffer.compare(Buffer.from(a), Buffer.from(b)) >= 0 ? a : b));
}

function storable(text: string): string {
  const zero = text.indexOf('\0');
  return (zero < 0 ? text : text.slice(0, zero)).toWellFormed();
}
