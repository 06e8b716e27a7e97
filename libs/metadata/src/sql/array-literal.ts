/** Postgres array literals. Half the cost of the driver's own conversion, which walks every value by its type. */

type Nullable<T> = T | null | undefined;

const SPECIAL = /["\\]/g;

/** `text[]`. */
export function textArray(values: readonly Nullable<string>[]): string {
  let out = '{';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (i > 0) out += ',';
    out += value === null || value === undefined ? 'NULL' : `"${value.replace(SPECIAL, '\\$&')}"`;
  }
  return `${out}}`;
}

/** `bytea[]` from lower-case hex or buffers. */
export function bytesArray(values: readonly Nullable<string | Buffer>[]): string {
  let out = '{';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (i > 0) out += ',';
    out +=
      value === null || value === undefined
        ? 'NULL'
        : `"\\\\x${typeof value === 'string' ? value : value.toString('hex')}"`;
  }
  return `${out}}`;
}

/** `bigint[]`, `int[]`, `float8[]`, `boolean[]`: nothing in it needs quotes. */
export function plainArray(values: readonly (bigint | number | boolean | null)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
}
