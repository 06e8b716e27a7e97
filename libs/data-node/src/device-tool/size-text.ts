/** Sizes as people write them: 4096, 64KiB, 10GiB. */
const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'];

/** Undefined when the text is no size. */
export function sizeFromText(text: string): number | undefined {
  const found = /^(\d{1,15})\s*(KiB|MiB|GiB|TiB|B)?$/.exec(text);
  if (found === null) return undefined;
  const sizeBytes = Number(found[1]) * 1024 ** (UNITS.indexOf(found[2] ?? 'B') + 1);
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}

/** Exact in the largest unit that divides it, so that `sizeFromText` gives it back; from 10,000 of one on rounded. */
export function sizeText(sizeBytes: number): string {
  let unit = -1;
  let count = sizeBytes;
  while (unit < UNITS.length - 1 && count >= 1024 && (count % 1024 === 0 || count >= 10_240)) {
    count /= 1024;
    unit += 1;
  }
  const text = Number.isInteger(count) ? String(count) : count.toFixed(1);
  return `${text} ${unit < 0 ? 'B' : UNITS[unit]}`;
}
