import { systemClock, type Clock } from '@holdfast/stdx';
import {
  decodeChunkList,
  encodeChunkList,
  HoldfastError,
  type CallContext,
  type ChunkEntry,
  type Intent,
  type MetadataMethods,
  type RedundancyProfile,
  type TraceLog,
} from '@holdfast/contracts';
import { secondarySet, type PlacementSet } from '@holdfast/placement';
import { log } from '@holdfast/service-host';
import { BufferPool } from './buffer-pool.js';
import type { ClusterMapCache } from './cluster-map-cache.js';
import type { ClusterView, SetView } from './cluster-view.js';
import type { GroupWriter, WrittenGroup } from './group-writer.js';
import type { ObjectReader } from './object-reader.js';
import { groupBytesFor, groupRegions } from './parity-group.js';
import type { UnitRemover } from './unit-remover.js';

export type ReplicateIntent = Extract<Intent, { kind: 'replicate' }>;

export interface ReplicationParts {
  readonly metadata: Pick<MetadataMethods, 'findWrite' | 'confirmReplica' | 'confirmIntent'>;
  readonly maps: ClusterMapCache;
  readonly reader: ObjectReader;
  readonly groups: GroupWriter;
  readonly remover: UnitRemover;
  readonly trace: TraceLog;
  readonly clock?: Clock;
  /** Memory for chunks on their way to a secondary set, all copies together. */
  readonly bufferBytes?: number;
}

/** What the metadata service knows of a write that is to be copied. */
interface LiveWrite {
  readonly bucketName: string;
  readonly profile: RedundancyProfile;
  readonly entries: readonly ChunkEntry[];
}

/**
 * Copies a committed write to the secondary set, chunk by chunk: read from the primary and verified, written as an attempt of
 * its own under new chunk ids, confirmed. `copies` of the confirm is a chunk list with one entry per chunk of the write, in
 * order: its size, and as `primary` the layout of the copy.
 */
export class Replication {
  private readonly pool: BufferPool;
  private readonly clock: Clock;

  constructor(private readonly parts: ReplicationParts) {
    this.pool = new BufferPool(parts.bufferBytes ?? 48 * 1024 * 1024);
    this.clock = parts.clock ?? systemClock;
  }

  /** Errors: those of reading and writing, and LateWrite; the intent is then to be delivered again. */
  async replicate(call: CallContext, intent: ReplicateIntent): Promise<void> {
    const { metadata } = this.parts;
    const startedAtMs = this.clock.monotonicMs();
    const { intentId, bucketId, writeId } = intent;
    const live = await this.findLive(call, intent);
    // A copy that stands, a write that is gone, a bucket that wants no copy: nothing is owed, nothing is written.
    if (live === undefined || !live.profile.secondary || live.entries.every((entry) => entry.secondary !== undefined)) {
      await metadata.confirmIntent(call, { intentId });
      return;
    }
    const copies: ChunkEntry[] = [];
    try {
      for (const entry of live.entries) copies.push((await this.copyChunk(call, intent, live, entry)).entry);
    } catch (error) {
      await this.discard(call, copies);
      throw error;
    }
    const attemptAgeMs = Math.ceil(this.clock.monotonicMs() - startedAtMs);
    const confirm = { intentId, bucketId, writeId, copies: encodeChunkList(copies), attemptAgeMs };
    const { outcome } = await metadata.confirmReplica(call, confirm);
    if (outcome === 'kept') {
      this.parts.trace.step(call, 10, `sets ${[...new Set(copies.map((copy) => copy.primary.setId))].join(' ')}`);
      return;
    }
    await this.discard(call, copies);
    if (outcome === 'late') throw new HoldfastError('LateWrite', 'the copy took too long to be confirmed');
  }

  private async findLive(call: CallContext, { bucketId, writeId }: ReplicateIntent): Promise<LiveWrite | undefined> {
    const found = await this.parts.metadata.findWrite(call, { bucketId, writeId });
    if (!found.found) return undefined;
    const { bucketName, profile, chunks } = found;
    if (bucketName === undefined || profile === undefined || chunks === undefined)
      throw new HoldfastError('InternalError', 'a write was found without its chunks');
    return { bucketName, profile, entries: decodeChunkList(chunks) };
  }

  private async copyChunk(
    call: CallContext,
    { bucketId, writeId }: ReplicateIntent,
    { bucketName, profile }: LiveWrite,
    entry: ChunkEntry,
  ): Promise<WrittenGroup> {
    const memory = await this.pool.acquire(groupBytesFor(entry.sizeBytes, profile), call.deadline);
    try {
      const { data, parity } = groupRegions(memory.bytes, entry.sizeBytes);
      const read = await this.parts.reader.readCopy(call, entry.primary, entry.sizeBytes);
      let at = 0;
      for (const bytes of read.buffers) at += bytes.copy(data, at);
      read.release();
      const setsOf = (view: ClusterView) => secondarySets(view, bucketName, entry.primary.setId);
      return await this.parts.groups.write(call, { bucketId, writeId, profile, setsOf }, data, parity);
    } finally {
      memory.release();
    }
  }

  /** Units that no record will name. Where they cannot be freed now, the collector finds them. */
  private async discard(call: CallContext, copies: readonly ChunkEntry[]): Promise<void> {
    try {
      await this.parts.remover.remove(call, copies);
    } catch (error) {
      log.info('units of an unconfirmed copy are left to the collector', { requestId: call.requestId, error });
    }
  }
}

/** The one set that holds the bucket's copies, when it takes writes. */
function secondarySets(view: ClusterView, bucketName: string, primarySetId: number): SetView[] {
  const sets: PlacementSet<number>[] = [...view.sets.values()].map((set) => ({
    id: set.setId,
    weight: set.weight,
    accepting: set.state === 'active',
  }));
  const chosen = secondarySet(bucketName, sets, primarySetId);
  const set = chosen === undefined ? undefined : view.sets.get(chosen);
  return set === undefined ? [] : [set];
}
