import {
  LIMITS,
  encodeChunkList,
  type CallContext,
  type ChunkEntry,
  type TraceLog,
  type WriteTarget,
  type WrittenPart,
} from '@holdfast/contracts';
import { KIB, MIB } from '@holdfast/stdx';
import { BodyPace, type BodyPaceOptions, type Progress } from './body-pace.js';
import { BodyReader } from './body-reader.js';
import { BufferPool, type PooledBuffer } from './buffer-pool.js';
import type { ClusterMapCache } from './cluster-map-cache.js';
import type { GroupTarget, GroupWriter, WrittenGroup } from './group-writer.js';
import { groupBytesFor, groupRegions } from './parity-group.js';

/** Chunks of one body under way at once: one whose units are in flight while the next one is read. */
const CHUNKS_IN_FLIGHT_MAX = 2;
const NOTHING = Buffer.alloc(0);
/** A slow body gives up its memory when others need it: less than this it takes back, more becomes a chunk. */
const CUT_CHUNK_BYTES_MIN = 64 * KIB;
/** And then takes as much as it fills in this time. */
const SLOW_FILL_MS = 2000;
const SLOW_CHUNK_BYTES_MIN = 256 * KIB;
/** While others wait and some are slow, a body whose pace is not known yet begins with so much. */
const FIRST_CHUNK_BYTES_MAX = MIB;

export interface ObjectWriterOptions {
  /** Memory for chunks and their parity, all bodies together. */
  readonly writerBufferBytes?: number;
  readonly pace?: BodyPaceOptions;
}

/** One body on its way: what has become of its chunks so far. */
interface WriteState {
  readonly groups: (WrittenGroup | undefined)[];
  readonly inFlight: Promise<void>[];
  sizeBytes: number;
  /** Of the next chunk: by the pace of the body, when others need memory. */
  chunkBytesMax: number;
  failure: { readonly error: unknown } | undefined;
}

/** Cuts bodies into chunks in bounded memory and writes them in order. */
export class ObjectWriter {
  readonly pool: BufferPool;
  private readonly pace: BodyPace;

  constructor(
    private readonly groups: GroupWriter,
    private readonly maps: ClusterMapCache,
    private readonly trace: TraceLog,
    options: ObjectWriterOptions = {},
  ) {
    this.pool = new BufferPool(options.writerBufferBytes ?? 32 * 1024 * 1024);
    this.pace = new BodyPace(() => this.pool.waiting, options.pace);
  }

  /** Errors: those of ObjectData.write, and whatever the body throws. */
  async write(call: CallContext, target: WriteTarget, body: AsyncIterable<Buffer>): Promise<WrittenPart> {
    const { bucketId, writeId, profile, homeSetId, expectedBytes } = target;
    const group: GroupTarget = { bucketId, writeId, profile, setsOf: (view) => view.writeOrder(homeSetId) };
    const reader = new BodyReader(body);
    try {
      if (expectedBytes === undefined || expectedBytes <= LIMITS.smallChunkBytesMax) {
        const small = await reader.wholeUpTo(LIMITS.smallChunkBytesMax);
        if (small !== undefined) return await this.writeSmall(call, group, small);
      }
      return await this.writeChunks(call, group, reader, expectedBytes ?? 0);
    } finally {
      reader.leave();
    }
  }

  /** A body of one small chunk needs no pooled memory: copies of it have no parity. */
  private async writeSmall(call: CallContext, target: GroupTarget, bytes: Buffer): Promise<WrittenPart> {
    if (bytes.length === 0) return this.finishEmpty(call, target);
    const written = await this.groups.write(call, target, bytes, NOTHING);
    this.traceGroup(call, written);
    return this.finish(call, target, [written], bytes.length);
  }

  private async writeChunks(
    call: CallContext,
    target: GroupTarget,
    reader: BodyReader,
    expectedBytes: number,
  ): Promise<WrittenPart> {
    const state: WriteState = {
      groups: [],
      inFlight: [],
      sizeBytes: 0,
      chunkBytesMax: LIMITS.chunkBytesMax,
      failure: undefined,
    };
    try {
      for (;;) {
        // What the client has announced sizes the buffers; what it sends beyond that is taken as it comes.
        const announcedBytes = expectedBytes - state.sizeBytes;
        if (announcedBytes <= 0 && !(await reader.more())) break;
        const beginsSmall = state.sizeBytes === 0 && this.pool.waiting > 0 && this.pace.metSlowBodies;
        const mostBytes = beginsSmall ? FIRST_CHUNK_BYTES_MAX : state.chunkBytesMax;
        const chunkBytesMax = announcedBytes <= 0 ? mostBytes : Math.min(announcedBytes, mostBytes);
        if (!(await this.writeNextChunk(call, target, reader, state, chunkBytesMax))) break;
        if (state.failure !== undefined) break;
      }
    } finally {
      // Units in flight use buffers of the pool: nothing is answered before they have settled.
      await Promise.all(state.inFlight);
    }
    if (state.failure !== undefined) throw state.failure.error;
    if (state.groups.length === 0) return this.finishEmpty(call, target);
    return this.finish(call, target, state.groups as WrittenGroup[], state.sizeBytes);
  }

  /** False at the end of the body. */
  private async writeNextChunk(
    call: CallContext,
    target: GroupTarget,
    reader: BodyReader,
    state: WriteState,
    chunkBytesMax: number,
  ): Promise<boolean> {
    // A body that stands still holds no memory.
    if (!(await reader.more())) return false;
    const memory = await this.acquire(call, state, groupBytesFor(chunkBytesMax, target.profile));
    let sent = false;
    try {
      const { data, parity } = groupRegions(memory.bytes, chunkBytesMax);
      const sizeBytes = await reader.fill(data, this.pace);
      if (sizeBytes === 0 || state.failure !== undefined) return false;
      const { interrupted } = reader;
      state.chunkBytesMax = interrupted === undefined ? LIMITS.chunkBytesMax : slowChunkBytes(interrupted);
      if (interrupted !== undefined && sizeBytes < CUT_CHUNK_BYTES_MIN) {
        reader.giveBack(data.subarray(0, sizeBytes));
        return true;
      }
      sent = true;
      const index = state.groups.push(undefined) - 1;
      state.sizeBytes += sizeBytes;
      const flight = this.groups
        .write(call, target, data.subarray(0, sizeBytes), parity)
        .then((written) => {
          state.groups[index] = written;
          this.traceGroup(call, written);
        })
        .catch((error: unknown) => {
          state.failure ??= { error };
        })
        .finally(() => memory.release());
      state.inFlight.push(flight);
      return !reader.isAtEnd;
    } finally {
      if (!sent) memory.release();
    }
  }

  /** Memory for one chunk. Nobody waits for it while chunks of the same body hold some: they are let finish first. */
  private async acquire(call: CallContext, state: WriteState, sizeBytes: number): Promise<PooledBuffer> {
    if (state.inFlight.length >= CHUNKS_IN_FLIGHT_MAX) await state.inFlight.shift();
    const memory = this.pool.tryAcquire(sizeBytes);
    if (memory !== undefined) return memory;
    await Promise.all(state.inFlight.splice(0));
    return this.pool.acquire(sizeBytes, call.deadline);
  }

  private traceGroup(call: CallContext, { entry, nodeIds }: WrittenGroup): void {
    if (call.flow !== 'object-creation') return;
    const isOne = nodeIds.every((nodeId) => nodeId === nodeIds[0]);
    this.trace.step(
      call,
      6,
      `set ${entry.primary.setId} nodes ${isOne ? nodeIds[0] : [...new Set(nodeIds)].join(' ')}`,
    );
  }

  /** Nothing was written under any map: the one of today. */
  private async finishEmpty(call: CallContext, target: GroupTarget): Promise<WrittenPart> {
    const { epoch } = this.maps.view ?? (await this.maps.get(call));
    return this.finish(call, target, [], 0, epoch);
  }

  private finish(
    call: CallContext,
    { writeId }: GroupTarget,
    groups: readonly WrittenGroup[],
    sizeBytes: number,
    epochMax: bigint = groups[0].epoch,
  ): WrittenPart {
    let epoch = epochMax;
    let degraded = false;
    const entries: ChunkEntry[] = [];
    for (const group of groups) {
      entries.push(group.entry);
      if (group.epoch < epoch) epoch = group.epoch;
      degraded ||= group.degraded;
    }
    if (call.flow === 'object-creation') this.trace.step(call, 7, `${sizeBytes} bytes in ${entries.length} chunks`);
    return { writeId, sizeBytes, chunks: encodeChunkList(entries), epoch, degraded };
  }
}

function slowChunkBytes({ bytes, ms }: Progress): number {
  const filled = Math.ceil((bytes * SLOW_FILL_MS) / Math.max(1, ms));
  return Math.min(Math.max(filled, SLOW_CHUNK_BYTES_MIN), LIMITS.chunkBytesMax);
}
