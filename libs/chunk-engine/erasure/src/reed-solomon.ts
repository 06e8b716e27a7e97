/**
 * Systematic Reed-Solomon over GF(2^8): units 0..k-1 are the data as they are, units k..k+m-1 are parity, and any k of
 * the k + m give back the rest. The first parity unit is the XOR of the data; with k = 1 every unit is a copy.
 */
import { assert } from '@holdfast/stdx';
import { kernelFor, type GaloisKernel } from './galois-kernel.js';
import { invertMatrix, multiplyRow, parityMatrix } from './matrix.js';

const UNITS_MAX = 32;

export class ReedSolomon {
  private readonly parityRows: Uint8Array[];

  /** @throws InvariantViolation unless 1 <= k, 0 <= m and k + m <= 32 */
  constructor(
    readonly k: number,
    readonly m: number,
    /** By default the one in whose memory the units lie. */
    private readonly kernel?: GaloisKernel,
  ) {
    assert(Number.isInteger(k) && k >= 1, 'At least one data unit', { k });
    assert(Number.isInteger(m) && m >= 0, 'Parity is counted', { m });
    assert(k + m <= UNITS_MAX, 'At most 32 units in a group', { k, m });
    this.parityRows = parityMatrix(k, m);
  }

  /**
   * Fills the m parity buffers, all of one length, from the k data units. Data units may be shorter than the parity
   * buffers: they are read as if zeros followed. Buffers may lie anywhere; those of one `groupMemory` are not copied.
   */
  encode(data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
    assert(data.length === this.k, 'Encode takes k data units', { k: this.k, given: data.length });
    assert(parity.length === this.m, 'Encode fills m parity units', { m: this.m, given: parity.length });
    for (const unit of parity) {
      assert(unit.length === parity[0].length, 'Parity units have one length');
    }
    (this.kernel ?? kernelFor(parity)).combine(this.parityRows, data, parity);
  }

  /**
   * The units of `wanted` (indexes), rebuilt from any k others. `units` has k + m entries, undefined where one is missing;
   * present ones may be shorter than `unitSizeBytes` (zeros follow). The result has one new buffer of `unitSizeBytes` bytes
   * per wanted unit, in their order: cut them to their stored size before storing them.
   * @throws InvariantViolation when fewer than k units are present
   */
  rebuild(
    units: readonly (Uint8Array | undefined)[],
    unitSizeBytes: number,
    wanted: readonly number[],
  ): Buffer<ArrayBuffer>[] {
    assert(units.length === this.k + this.m, 'Rebuild takes k + m units', { k: this.k, m: this.m });
    const present = units.flatMap((unit, index) => (unit === undefined ? [] : [index])).slice(0, this.k);
    assert(present.length === this.k, 'At least k units are needed', { k: this.k, present: present.length });
    const sources = present.map((index) => units[index] as Uint8Array);
    for (const source of sources) {
      assert(source.length <= unitSizeBytes, 'A unit is not longer than the unit size', { unitSizeBytes });
    }
    const decode = invertMatrix(present.map((index) => this.generatorRow(index)));
    const rows = wanted.map((index) => multiplyRow(this.generatorRow(index), decode));
    const rebuilt = wanted.map(() => Buffer.allocUnsafeSlow(unitSizeBytes));
    (this.kernel ?? kernelFor(rebuilt)).combine(rows, sources, rebuilt);
    return rebuilt;
  }

  private generatorRow(index: number): Uint8Array {
    if (index >= this.k) return this.parityRows[index - this.k];
    return Uint8Array.from({ length: this.k }, (_, column) => (column === index ? 1 : 0));
  }
}
