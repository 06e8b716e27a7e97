import { HoldfastError } from '@holdfast/contracts';

/** Both ends are inside the object and included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

const ONE_RANGE = /^bytes=(\d*)-(\d*)$/i;
/** The longest object needs 13 digits, and an endless header must cost nothing. Beyond 2^53 a bound is not exact, and behind every object. */
const HEADER_MAX_CHARACTERS = 64;

/**
 * The single range of a GET. Undefined means: serve the whole object (no header, another unit, several ranges, bad syntax).
 * @throws HoldfastError InvalidRange (nothing of the object lies in the range)
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  if (header === undefined || header.length > HEADER_MAX_CHARACTERS) return undefined;
  const match = ONE_RANGE.exec(header.trim());
  if (match === null) return undefined;
  const [, firstDigits, lastDigits] = match;
  if (firstDigits === '' && lastDigits === '') return undefined;
  if (firstDigits === '') {
    const suffixBytes = Number(lastDigits);
    if (suffixBytes === 0 || sizeBytes === 0) throw unsatisfiable(header, sizeBytes);
    return { first: Math.max(0, sizeBytes - suffixBytes), last: sizeBytes - 1 };
  }
  const first = Number(firstDigits);
  const last = lastDigits === '' ? Infinity : Number(lastDigits);
  if (first > last) return undefined;
  if (first >= sizeBytes) throw unsatisfiable(header, sizeBytes);
  return { first, last: Math.min(last, sizeBytes - 1) };
}

function unsatisfiable(header: string, sizeBytes: number): HoldfastError {
  return new HoldfastError('InvalidRange', undefined, { RangeRequested: header, ActualObjectSize: String(sizeBytes) });
}
