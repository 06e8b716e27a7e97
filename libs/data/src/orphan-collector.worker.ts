import { setTimeout as sleep } from 'node:timers/promises';
import {
  backgroundCall,
  decodeChunkList,
  HoldfastError,
  type ChunkEntry,
  type DatabaseIdentity,
  type DevicePlace,
  type ListedUnit,
  type MetadataMethods,
  type UnitPosition,
  type UnitStore,
} from '@holdfast/contracts';
import { log } from '@holdfast/service-host';
import type { ClusterMapCache } from './cluster-map-cache.js';

export interface OrphanCollectorOptions {
  /** Units younger than this are never looked at. An attempt older than half of it can no longer be committed. */
  readonly graceMs?: number;
  /** Rest between two rounds. */
  readonly intervalMs?: number;
  readonly unitsPerSecond?: number;
}

/** What one round, or one device of it, has come to. `skipped` counts devices whose round ended early. */
export interface CollectionResult {
  readonly looked: number;
  readonly kept: number;
  readonly freed: number;
  readonly skipped: number;
  /** Why devices were skipped. */
  readonly reasons: readonly string[];
}

export interface CollectorState {
  readonly running: boolean;
  /** Where the round is; absent between rounds. */
  readonly position?: { readonly deviceId: string; readonly after?: UnitPosition };
  readonly unitsPerSecond: number;
  readonly lastResult?: CollectionResult;
}

interface Place extends DevicePlace {
  readonly setId: number;
}

const PAGE_UNITS = 500;
const CALL_TIMEOUT_MS = 30_000;

/**
 * Frees units that no live record names: of writes that never committed, of attempts given up, of copies that lost. A unit is
 * kept while the live record of its write names its chunk and, at its index, this device's slot. Any error means "not known",
 * and what is not known is kept: only an answer of the database itself, read in one snapshot, makes an orphan.
 */
export class OrphanCollector {
  /** May be changed while it runs. */
  unitsPerSecond: number;
  private readonly graceMs: number;
  private readonly intervalMs: number;
  private position: CollectorState['position'];
  private lastResult: CollectionResult | undefined;
  private stopping: AbortController | undefined;
  private loop: Promise<void> | undefined;
  private round: Promise<CollectionResult> | undefined;

  constructor(
    private readonly units: UnitStore,
    private readonly metadata: Pick<MetadataMethods, 'liveWrites'>,
    private readonly maps: ClusterMapCache,
    options: OrphanCollectorOptions = {},
  ) {
    this.graceMs = options.graceMs ?? 3_600_000;
    this.intervalMs = options.intervalMs ?? 600_000;
    this.unitsPerSecond = options.unitsPerSecond ?? 5000;
  }

  get state(): CollectorState {
    const { position, unitsPerSecond, lastResult } = this;
    return { running: this.loop !== undefined, position, unitsPerSecond, lastResult };
  }

  start(): void {
    if (this.loop !== undefined) return;
    this.stopping = new AbortController();
    this.loop = this.run(this.stopping.signal);
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.stopping?.abort();
    await this.loop;
    await this.round;
    this.loop = undefined;
  }

  /** One round over all devices of the map; joins the one under way. Never rejects for a device that cannot be asked. */
  runOnce(): Promise<CollectionResult> {
    this.round ??= this.collectAll().finally(() => {
      this.round = undefined;
      this.position = undefined;
    });
    return this.round;
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      await this.runOnce().catch((error: unknown) => log.warn('a round of the collector failed', { error }));
    }
  }

  private async collectAll(): Promise<CollectionResult> {
    const view = await this.maps.refresh(backgroundCall(CALL_TIMEOUT_MS));
    const places: Place[] = [...view.sets.values()].flatMap((set) =>
      set.places.filter((place) => place.live).map((place) => ({ ...place, setId: set.setId })),
    );
    const total = { looked: 0, kept: 0, freed: 0, skipped: 0, reasons: [] as string[] };
    for (const place of places) {
      if (this.stopping?.signal.aborted === true) break;
      try {
        await this.collectDevice(view.map.clusterId, place, total);
      } catch (error) {
        total.skipped += 1;
        total.reasons.push(`${place.deviceId}: ${error instanceof Error ? error.message : String(error)}`);
        log.warn('the collector passes a device over', { device: place.deviceId, error });
      }
    }
    this.lastResult = total;
    return total;
  }

  private async collectDevice(
    clusterId: string,
    place: Place,
    total: { looked: number; kept: number; freed: number },
  ): Promise<void> {
    let after: UnitPosition | undefined;
    for (;;) {
      this.position = { deviceId: place.deviceId, after };
      const query = { after, limit: PAGE_UNITS, minimumAgeMs: this.graceMs };
      const page = await this.units.list(backgroundCall(CALL_TIMEOUT_MS), place, query);
      if (page.length > 0) {
        const { orphans, database } = await this.orphansOf(clusterId, place, page);
        if (orphans.length > 0) await this.free(place, orphans, database);
        total.looked += page.length;
        total.freed += orphans.length;
        total.kept += page.length - orphans.length;
      }
      if (page.length < PAGE_UNITS || this.stopping?.signal.aborted === true) return;
      after = page[page.length - 1];
      await sleep((page.length / this.unitsPerSecond) * 1000);
    }
  }

  private async orphansOf(
    clusterId: string,
    place: Place,
    page: readonly ListedUnit[],
  ): Promise<{ orphans: ListedUnit[]; database: DatabaseIdentity }> {
    const writes = new Map(page.map(({ bucketId, writeId }) => [`${bucketId} ${writeId}`, { bucketId, writeId }]));
    const answer = await this.metadata.liveWrites(backgroundCall(CALL_TIMEOUT_MS), { writes: [...writes.values()] });
    if (answer.database.clusterId !== clusterId)
      throw new HoldfastError('ForeignDatabase', 'the database that answered is not of this cluster');
    const live = new Map<string, readonly ChunkEntry[]>();
    for (const { writeId, chunks } of answer.live) live.set(writeId, decodeChunkList(chunks));
    const orphans = page.filter((unit) => !isNamed(live.get(unit.writeId) ?? [], unit, place));
    return { orphans, database: answer.database };
  }

  private async free(place: Place, orphans: readonly ListedUnit[], database: DatabaseIdentity): Promise<void> {
    const positions = orphans.map(({ chunkId, unitIndex }) => ({ chunkId, unitIndex }));
    await this.units.free(backgroundCall(CALL_TIMEOUT_MS), place, positions, database);
    for (const { chunkId, unitIndex, bucketId, writeId } of orphans)
      log.info('an orphan was freed', { device: place.deviceId, chunkId, unitIndex, bucketId, writeId });
  }
}

/** Does the record name this chunk with this device at this index? */
function isNamed(entries: readonly ChunkEntry[], { chunkId, unitIndex }: ListedUnit, { setId, slot }: Place): boolean {
  return entries.some(({ primary, secondary }) =>
    [primary, secondary].some(
      (layout) => layout?.chunkId === chunkId && layout.setId === setId && layout.slots[unitIndex] === slot,
    ),
  );
}
