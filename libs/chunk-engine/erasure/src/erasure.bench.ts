/** Encode and rebuild rates of one core; prints, asserts nothing. */
import { randomFillSync } from 'node:crypto';
import { MIB } from '@holdfast/stdx';
import { ReedSolomon } from './reed-solomon.js';

for (const [k, m] of [
  [1, 1],
  [2, 1],
  [8, 1],
  [2, 2],
  [4, 2],
  [8, 3],
]) {
  const code = new ReedSolomon(k, m);
  const unitSizeBytes = (8 * MIB) / k;
  const data = Array.from({ length: k }, () => randomFillSync(Buffer.alloc(unitSizeBytes)));
  const parity = Array.from({ length: m }, () => Buffer.alloc(unitSizeBytes));
  const rateOf = (work: () => void): string => {
    for (let round = 0; round < 3; round += 1) work();
    const started = performance.now();
    for (let round = 0; round < 20; round += 1) work();
    return `${Math.round((20 * 8 * MIB) / 1e3 / (performance.now() - started))} MB/s`;
  };
  const lossy = [...data, ...parity].map((unit, index) => (index < m && index < k ? undefined : unit));
  const encode = rateOf(() => code.encode(data, parity));
  const rebuild = rateOf(() => code.reconstruct(lossy, unitSizeBytes, { dataOnly: true }));
  console.log(`${k}+${m}: encode ${encode}, rebuild ${Math.min(k, m)} data units ${rebuild}`);
}
