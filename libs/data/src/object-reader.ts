import {
  HoldfastError,
  LIMITS,
  type CallContext,
  type ChunkEntry,
  type ReadRange,
  type TraceLog,
  type UnitLayout,
  type UnitReadCall,
} from '@holdfast/contracts';
import { ByteBudget } from '@holdfast/service-host';
import { KIB, MIB, OnePiece } from '@holdfast/stdx';
import { CopyRead } from './copy-read.js';
import { GroupRead } from './group-read.js';
import type { LentBuffers } from './lent-buffers.js';
import { ReadSteps, type ChunkPart } from './read-steps.js';
import { UnitSource, type UnitSourceParts } from './unit-source.js';

/** Reads up to this size do not count against the readers' memory. */
const UNCOUNTED_BYTES_MAX = 4 * LIMITS.smallChunkBytesMax;

/**
 * A chunk is read in steps, one ahead: what a stream holds does not grow with the chunk. Of a degraded chunk a step in the
 * missing unit costs k reads of its size, up to twice what reading the chunk at once would take. The fuller the readers'
 * memory, the smaller the steps: readers that stand still hold theirs for as long as they like, and others must get on.
 */
const STEPS: readonly { readonly whileInUse: number; readonly stepBytes: number }[] = [
  { whileInUse: 1 / 2, stepBytes: MIB },
  { whileInUse: 3 / 4, stepBytes: 256 * KIB },
  { whileInUse: 1, stepBytes: 128 * KIB },
];

export interface ObjectReaderOptions {
  /** Memory for chunks on their way to readers, all reads together. */
  readonly readerBufferBytes?: number;
  /** Called when a read of large chunks begins: whoever holds memory that is not in use may give it up. */
  readonly makeRoom?: () => void;
}

interface FetchedPart {
  /** Of its chunk. */
  readonly index: number;
  readonly read: LentBuffers;
  readonly heldBytes: number;
}

/** Reads chunks in order, one ahead, in bounded memory; each chunk from the units of one set. */
export class ObjectReader {
  readonly memory: ByteBudget;
  private readonly makeRoom: (() => void) | undefined;

  constructor(
    private readonly sources: UnitSourceParts,
    private readonly trace: TraceLog,
    options: ObjectReaderOptions = {},
  ) {
    this.memory = new ByteBudget(options.readerBufferBytes ?? 24 * 1024 * 1024);
    this.makeRoom = options.makeRoom;
  }

  /** See ObjectData.read. */
  read(call: CallContext, range: ReadRange): AsyncIterable<Buffer> {
    const steps = new ReadSteps(range);
    const isCounted = steps.sizeBytes > UNCOUNTED_BYTES_MAX;
    const reading = new RangeReading(this.sources, isCounted ? this.memory : undefined, this.trace, call, range.chunks);
    if (!isCounted && !steps.isAtEnd) {
      const part = steps.next(MIB);
      const isWhole = part.last - part.first + 1 === steps.sizeBytes;
      if (isWhole && range.chunks[part.index].primary.k === 1) return new OnePiece(() => reading.readSmall(part));
    }
    if (isCounted) this.makeRoom?.();
    return reading.run(steps);
  }

  /** One whole chunk from the given copy. Errors: DataUnreadable. */
  async readCopy(call: CallContext, layout: UnitLayout, sizeBytes: number): Promise<LentBuffers> {
    await this.sources.maps.get(call);
    return fetchPart(new UnitSource(this.sources, call, { layout, sizeBytes }), 0, sizeBytes - 1);
  }
}

/** One range on its way to one reader. */
class RangeReading {
  private tracedPrimary = false;
  private tracedSecondary = false;

  constructor(
    private readonly sources: UnitSourceParts,
    /** Absent: this read does not count. */
    private readonly memory: ByteBudget | undefined,
    private readonly trace: TraceLog,
    private readonly call: CallContext,
    private readonly chunks: readonly ChunkEntry[],
  ) {}

  async *run(steps: ReadSteps): AsyncGenerator<Buffer, void, undefined> {
    let next: Promise<FetchedPart> | undefined;
    let current: FetchedPart | undefined;
    const firstIndex = steps.isAtEnd ? 0 : steps.next(MIB).index;
    try {
      while (next !== undefined || !steps.isAtEnd) {
        current = await (next ?? this.fetchNext(steps));
        next = steps.isAtEnd ? undefined : this.fetchAhead(steps);
        if (next === undefined && steps.isAtEnd) this.traceEnd(current.index - firstIndex + 1);
        for (const bytes of current.read.buffers) yield bytes;
        this.give(current);
        current = undefined;
      }
      this.traceSent();
    } finally {
      if (current !== undefined) this.give(current);
      next?.then((part) => this.give(part)).catch(() => undefined);
    }
  }

  /** The bytes of a part of a chunk that is kept as copies. */
  async readSmall(part: ChunkPart): Promise<Buffer> {
    const bytes = await this.smallBytes(part);
    this.traceEnd(1);
    this.traceSent();
    return bytes;
  }

  private async smallBytes({ index, first, last }: ChunkPart): Promise<Buffer> {
    if (this.sources.maps.view === undefined) await this.sources.maps.get(this.call);
    const { primary, sizeBytes } = this.chunks[index];
    this.traceSource(primary, false);
    const source = new UnitSource(this.sources, this.call, { layout: primary, sizeBytes });
    try {
      // Not released: small bytes go out long after whoever asked for them has left.
      return (await new CopyRead(source, first, last - first + 1).run()).bytes;
    } catch {
      return Buffer.concat((await this.fetchChunk({ index, first, last })).buffers);
    }
  }

  private traceEnd(chunkCount: number): void {
    if (this.call.flow === 'object-download') this.trace.step(this.call, 12, `${chunkCount} chunks`);
  }

  private traceSent(): void {
    if (this.call.flow === 'object-download') this.trace.step(this.call, 13);
  }

  /** Errors: SlowDown when there is no memory in time. */
  private async fetchNext(steps: ReadSteps): Promise<FetchedPart> {
    const part = steps.next(this.stepBytes());
    const heldBytes = this.memoryFor(part);
    await this.memory?.take(heldBytes, this.call.deadline);
    steps.pass(part);
    return this.fetch(part, heldBytes);
  }

  /** Reading ahead takes memory only while half of it is free: readers that stand still must leave room for others. */
  private fetchAhead(steps: ReadSteps): Promise<FetchedPart> | undefined {
    const part = steps.next(this.stepBytes());
    const heldBytes = this.memoryFor(part);
    const { memory } = this;
    if (memory !== undefined) {
      if (memory.inUseBytes + heldBytes > memory.capacityBytes / 2 || !memory.tryTake(heldBytes)) return undefined;
    }
    steps.pass(part);
    const fetched = this.fetch(part, heldBytes);
    fetched.catch(() => undefined);
    return fetched;
  }

  private stepBytes(): number {
    if (this.memory === undefined) return MIB;
    const { inUseBytes, capacityBytes } = this.memory;
    const step = STEPS.find(({ whileInUse }) => inUseBytes < capacityBytes * whileInUse) ?? STEPS[STEPS.length - 1];
    return step.stepBytes;
  }

  private give(part: FetchedPart): void {
    part.read.release();
    this.memory?.give(part.heldBytes);
  }

  /** A part with what decoding it may need: as many columns of parity as there are of data. */
  private memoryFor({ index, first, last }: ChunkPart): number {
    if (this.memory === undefined) return 0;
    const { k, m } = this.chunks[index].primary;
    const sizeBytes = last - first + 1;
    return Math.min(this.memory.capacityBytes, k === 1 ? sizeBytes : Math.ceil((sizeBytes * (k + m)) / k));
  }

  private async fetch(part: ChunkPart, heldBytes: number): Promise<FetchedPart> {
    try {
      return { index: part.index, read: await this.fetchChunk(part), heldBytes };
    } catch (error) {
      this.memory?.give(heldBytes);
      throw error;
    }
  }

  /** From one set; from the other when that one cannot give it. Chunks of one read take turns between the two. */
  private async fetchChunk(part: ChunkPart): Promise<LentBuffers> {
    const { primary, secondary, sizeBytes } = this.chunks[part.index];
    const view = await this.sources.maps.get(this.call);
    const turn = this.chunks.length > 1 && part.index % 2 === 1;
    const layouts = secondary === undefined ? [primary] : turn ? [secondary, primary] : [primary, secondary];
    for (let round = 0; ; round += 1) {
      for (const layout of layouts) {
        const isSecondary = layout === secondary;
        this.traceSource(layout, isSecondary);
        const unitCall: UnitReadCall = isSecondary ? { ...this.call, copy: 'secondary' } : this.call;
        const source = new UnitSource(this.sources, unitCall, { layout, sizeBytes });
        const read = await fetchPart(source, part.first, part.last).catch(unlessUnreadable);
        if (read !== undefined) return read;
      }
      // The map may be too old to know where the units are: once more by a newer one.
      const newer = await this.sources.maps.refresh(this.call).catch(() => view);
      if (newer === view || round > 0) break;
    }
    throw new HoldfastError('DataUnreadable', undefined, { chunkId: primary.chunkId });
  }

  private traceSource(layout: UnitLayout, isSecondary: boolean): void {
    if (this.call.flow !== 'object-download') return;
    if (isSecondary ? this.tracedSecondary : this.tracedPrimary) return;
    if (isSecondary) this.tracedSecondary = true;
    else this.tracedPrimary = true;
    this.trace.step(this.call, isSecondary ? 10 : 8, `set ${layout.setId}`);
  }
}

async function fetchPart(source: UnitSource, first: number, last: number): Promise<LentBuffers> {
  if (source.chunk.layout.k > 1) return new GroupRead(source, first, last).run();
  const { bytes, release } = await new CopyRead(source, first, last - first + 1).run();
  return { buffers: [bytes], release };
}

function unlessUnreadable(error: unknown): undefined {
  if (error instanceof HoldfastError && error.code === 'DataUnreadable') return undefined;
  throw error;
}
