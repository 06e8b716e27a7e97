/**
 * The hot loops of the erasure code: targets = coefficients * sources over GF(2^8), for byte columns. The arithmetic is in
 * assembly/galois-kernel.as; here the bytes are brought before it. Buffers that lie in the kernel's own memory are worked on
 * where they are; others pass through it in slices that stay in the second-level cache.
 */
import { assert, pageMemory } from '@holdfast/stdx';
import { multiply } from './galois-field.js';
import { GALOIS_KERNEL_WASM } from './galois-kernel-binary.js';

/** The seam where the oracle of the tests stands in. */
export interface GaloisKernel {
  /**
   * Overwrites all of each target: `targets[r]` = sum of `rows[r][j] * sources[j]` over all j. Targets have one length;
   * sources may be shorter and are read as if zeros followed.
   */
  combine(rows: readonly Uint8Array[], sources: readonly Uint8Array[], targets: readonly Uint8Array[]): void;
}

type Loop = (k: number, sources: number, targets: number, tables: number, bytes: number) => void;

/** Rows that one reading of the sources can make beside the plain sum. */
const TABLED_ROWS_MAX = 3;
const SOURCES_MAX = 32;
const TARGETS_MAX = TABLED_ROWS_MAX + 1;
/** The loops take so many bytes at a time. */
const STEP_BYTES = 32;
const SLICE_BYTES = 16 * 1024;
const TABLE_BYTES = 32;
const PAGE_BYTES = 65_536;

// Where things lie in the kernel's memory.
const SOURCES_AT = 0;
const TARGETS_AT = SOURCES_AT + SOURCES_MAX * 4;
const TABLES_AT = TARGETS_AT + TARGETS_MAX * 4;
const SLICES_AT = 16 * 1024;
const RESIDENT_AT = Math.ceil((SLICES_AT + (SOURCES_MAX + TARGETS_MAX) * SLICE_BYTES) / PAGE_BYTES) * PAGE_BYTES;

/** Products of a coefficient with the 16 low and the 16 high halves of a byte. */
const tables: (Uint8Array | undefined)[] = [];

function tableOf(coefficient: number): Uint8Array {
  return (tables[coefficient] ??= Uint8Array.from({ length: TABLE_BYTES }, (_, index) =>
    multiply(coefficient, index < 16 ? index : (index - 16) << 4),
  ));
}

let compiled: WebAssembly.Module | undefined;

/** Kernels by the memory that they work in. */
const kernels = new WeakMap<ArrayBufferLike, SimdKernel>();
let threadsKernel: SimdKernel | undefined;

/**
 * Memory that begins at a page, for units and their parity: groups that lie in it are computed where they are, and it can be
 * written to a device without a copy.
 */
export function groupMemory(sizeBytes: number): Buffer {
  const { resident } = new SimdKernel(sizeBytes);
  return Buffer.from(resident.buffer, resident.byteOffset, resident.length);
}

/** The kernel in whose memory the targets lie, or else the one that all share. */
export function kernelFor(targets: readonly Uint8Array[]): SimdKernel {
  const own = targets.length === 0 ? undefined : kernels.get(targets[0].buffer);
  return own ?? (threadsKernel ??= new SimdKernel());
}

/** One kernel serves one thread, one call at a time. */
export class SimdKernel implements GaloisKernel {
  /** Memory of the kernel for its caller: buffers in it are not copied. */
  readonly resident: Uint8Array;
  private readonly bytes: Uint8Array;
  private readonly words: Uint32Array;
  private readonly loops: Readonly<Record<string, Loop>>;

  constructor(residentBytes = 0) {
    const memory = pageMemory(RESIDENT_AT + residentBytes);
    compiled ??= new WebAssembly.Module(Buffer.from(GALOIS_KERNEL_WASM, 'base64'));
    this.loops = new WebAssembly.Instance(compiled, { env: { memory } }).exports as Record<string, Loop>;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.resident = this.bytes.subarray(RESIDENT_AT, RESIDENT_AT + residentBytes);
    kernels.set(memory.buffer, this);
  }

  combine(rows: readonly Uint8Array[], sources: readonly Uint8Array[], targets: readonly Uint8Array[]): void {
    assert(rows.length === targets.length, 'One row per target');
    assert(sources.length >= 1 && sources.length <= SOURCES_MAX, 'A kernel sums some sources', { k: sources.length });
    if (targets.length === 0) return;
    const sizeBytes = targets[0].length;
    for (const row of rows) assert(row.length === sources.length, 'One coefficient per source');
    for (const target of targets) assert(target.length === sizeBytes, 'Targets have one length');
    for (const source of sources) assert(source.length <= sizeBytes, 'A source is not longer than the target');
    for (let from = 0; from < rows.length;) {
      const ones = startsWithSum(rows, from);
      const to = Math.min(rows.length, from + TABLED_ROWS_MAX + (ones ? 1 : 0));
      this.pass(ones, rows.slice(from, to), sources, targets.slice(from, to), sizeBytes);
      from = to;
    }
  }

  /** One reading of all sources. */
  private pass(
    ones: boolean,
    rows: readonly Uint8Array[],
    sources: readonly Uint8Array[],
    targets: readonly Uint8Array[],
    sizeBytes: number,
  ): void {
    const tabled = ones ? rows.slice(1) : rows;
    const loop = this.loops[`${ones ? 'ones' : 'rows'}${tabled.length}`];
    this.writeTables(tabled, ones ? 1 : 0, sources.length);
    const everywhere = [...sources, ...targets];
    const wholeSteps = sizeBytes - (sizeBytes % STEP_BYTES);
    let from = 0;
    if (wholeSteps > 0 && everywhere.every((unit) => this.holds(unit) && unit.length >= wholeSteps)) {
      sources.forEach((source, index) => (this.words[SOURCES_AT / 4 + index] = source.byteOffset));
      targets.forEach((target, index) => (this.words[TARGETS_AT / 4 + index] = target.byteOffset));
      loop(sources.length, SOURCES_AT, TARGETS_AT, TABLES_AT, wholeSteps);
      from = wholeSteps;
    }
    this.useSlices(sources.length, targets.length);
    for (; from < sizeBytes; from += SLICE_BYTES) {
      const sliceBytes = Math.min(SLICE_BYTES, sizeBytes - from);
      const steppedBytes = Math.ceil(sliceBytes / STEP_BYTES) * STEP_BYTES;
      for (let index = 0; index < sources.length; index += 1) this.load(sources[index], index, from, steppedBytes);
      loop(sources.length, SOURCES_AT, TARGETS_AT, TABLES_AT, steppedBytes);
      for (let index = 0; index < targets.length; index += 1) {
        const at = sliceAt(sources.length + index);
        targets[index].set(this.bytes.subarray(at, at + sliceBytes), from);
      }
    }
  }

  private holds(unit: Uint8Array): boolean {
    return unit.buffer === this.bytes.buffer;
  }

  private useSlices(sourceCount: number, targetCount: number): void {
    for (let index = 0; index < sourceCount; index += 1) this.words[SOURCES_AT / 4 + index] = sliceAt(index);
    for (let index = 0; index < targetCount; index += 1)
      this.words[TARGETS_AT / 4 + index] = sliceAt(sourceCount + index);
  }

  /** Bytes of a source from `from`, and zeros after its end. */
  private load(source: Uint8Array, index: number, from: number, steppedBytes: number): void {
    const at = sliceAt(index);
    const heldBytes = Math.max(0, Math.min(source.length - from, steppedBytes));
    if (heldBytes > 0) this.bytes.set(source.subarray(from, from + heldBytes), at);
    if (heldBytes < steppedBytes) this.bytes.fill(0, at + heldBytes, at + steppedBytes);
  }

  private writeTables(rows: readonly Uint8Array[], firstSource: number, sourceCount: number): void {
    let at = TABLES_AT;
    for (let source = firstSource; source < sourceCount; source += 1) {
      for (const row of rows) {
        this.bytes.set(tableOf(row[source]), at);
        at += TABLE_BYTES;
      }
    }
  }
}

const sliceAt = (index: number): number => SLICES_AT + index * SLICE_BYTES;

/** The shape of the parity matrix: a row of ones, and rows after it that begin with one. */
function startsWithSum(rows: readonly Uint8Array[], from: number): boolean {
  const isSum = rows[from].every((coefficient) => coefficient === 1);
  return isSum && rows.slice(from + 1, from + 1 + TABLED_ROWS_MAX).every((row) => row[0] === 1);
}
