/**
 * Systematic Reed-Solomon over GF(2^8): units 0..k-1 are the data as they are, units k..k+m-1 are parity, and any k of
 * the k + m give back the rest. The first parity unit is the XOR of the data; with k = 1 every unit is a copy.
 */
import { assert } from '@holdfast/stdx';
import { scalarKernel, type GaloisKernel } from './galois-kernel.js';
import { invertMatrix, multiplyRow, parityMatrix } from './matrix.js';

const UNITS_MAX = 32;

export interface ReconstructOptions {
  /** Rebuild missing data units only; missing parity stays undefined, and the result has k entries. */
  readonly dataOnly?: boolean;
}

export class ReedSolomon {
  private readonly parityRows: Uint8Array[];

  /** @throws InvariantViolation unless 1 <= k, 0 <= m and k + m <= 32 */
  constructor(
    readonly k: number,
    readonly m: number,
    private readonly kernel: GaloisKernel = scalarKernel,
  ) {
    assert(Number.isInteger(k) && k >= 1, 'At least one data unit', { k });
    assert(Number.isInteger(m) && m >= 0, 'Parity is counted', { m });
    assert(k + m <= UNITS_MAX, 'At most 32 units in a group', { k, m });
    this.parityRows = parityMatrix(k, m);
  }

  /**
   * Fills the m parity buffers, all of one length, from the k data units. Data units may be shorter than the parity
   * buffers: they are read as if zeros followed. Buffers may lie anywhere; four-byte aligned ones are faster.
   */
  encode(data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
    assert(data.length === this.k, 'Encode takes k data units', { k: this.k, given: data.length });
    assert(parity.length === this.m, 'Encode fills m parity units', { m: this.m, given: parity.length });
    for (const unit of parity) {
      assert(unit.length === parity[0].length, 'Parity units have one length');
    }
    this.parityRows.forEach((row, index) => this.kernel.combine(row, data, parity[index]));
  }

  /**
   * The units with the missing ones rebuilt. `units` has k + m entries, undefined where one is missing; present ones may
   * be shorter than `unitSizeBytes` (zeros follow). Present units come back as given, rebuilt ones are new buffers of
   * `unitSizeBytes` bytes: cut them to their stored size before storing them.
   * @throws InvariantViolation when fewer than k units are present
   */
  reconstruct(
    units: readonly (Uint8Array | undefined)[],
    unitSizeBytes: number,
    options: ReconstructOptions = {},
  ): Uint8Array[] {
    assert(units.length === this.k + this.m, 'Reconstruct takes k + m units', { k: this.k, m: this.m });
    const present = units.flatMap((unit, index) => (unit === undefined ? [] : [index])).slice(0, this.k);
    assert(present.length === this.k, 'At least k units are needed', { k: this.k, present: present.length });
    const result = units.slice(0, options.dataOnly === true ? this.k : units.length);
    const missing = result.flatMap((unit, index) => (unit === undefined ? [index] : []));
    if (missing.length === 0) return result as Uint8Array[];
    const sources = present.map((index) => units[index] as Uint8Array);
    for (const source of sources) {
      assert(source.length <= unitSizeBytes, 'A unit is not longer than the unit size', { unitSizeBytes });
    }
    const decode = invertMatrix(present.map((index) => this.generatorRow(index)));
    for (const index of missing) {
      const target = Buffer.allocUnsafeSlow(unitSizeBytes);
      this.kernel.combine(multiplyRow(this.generatorRow(index), decode), sources, target);
      result[index] = target;
    }
    return result as Uint8Array[];
  }

  private generatorRow(index: number): Uint8Array {
    if (index >= this.k) return this.parityRows[index - this.k];
    return Uint8Array.from({ length: this.k }, (_, column) => (column === index ? 1 : 0));
  }
}
