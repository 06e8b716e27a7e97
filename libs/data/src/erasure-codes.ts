import { ReedSolomon } from '@holdfast/erasure';

const codes = new Map<number, ReedSolomon>();

/** The code of k+m, made once. */
export function codeFor(k: number, m: number): ReedSolomon {
  const key = k * 64 + m;
  let code = codes.get(key);
  if (code === undefined) codes.set(key, (code = new ReedSolomon(k, m)));
  return code;
}
