import {
  HoldfastError,
  Metadata,
  type CallContext,
  type ClusterMap,
  type FlowName,
  type MetadataMethods,
} from '@holdfast/contracts';
import { BucketCreations } from './domain/bucket-creations.js';
import { bucketDefaults } from './domain/bucket-defaults.js';
import { assertStorableKey, assertStorableTags, isStorableText } from './domain/write-conditions.js';
import { HousekeepingWorker } from './housekeeping.worker.js';
import { METADATA_DEFAULTS, type MetadataOptions, type MetadataSettings } from './metadata-options.js';
import type { ClaimedIntent, OutboxSource } from './outbox-source.js';
import { BucketRepository } from './sql/bucket.repository.js';
import { ClusterMapRepository } from './sql/cluster-map.repository.js';
import { CommitBatcher } from './sql/commit-batcher.js';
import { asOperatingError, MetadataDatabase } from './sql/database.js';
import { DeleteBatcher } from './sql/delete-batcher.js';
import { migrate } from './sql/migrate.js';
import { ObjectListRepository } from './sql/object-list.repository.js';
import { ObjectTagRepository } from './sql/object-tag.repository.js';
import { OutboxSignal } from './sql/outbox-signal.js';
import { OutboxRepository } from './sql/outbox.repository.js';
import { ReadBatcher } from './sql/read-batcher.js';
import { StatusRepository } from './sql/status.repository.js';
import { UploadListRepository } from './sql/upload-list.repository.js';
import { UploadRepository } from './sql/upload.repository.js';
import { VersionListRepository } from './sql/version-list.repository.js';
import { WriteRepository } from './sql/write.repository.js';

type Input<K extends keyof MetadataMethods> = Parameters<MetadataMethods[K]>[1];
type Output<K extends keyof MetadataMethods> = Promise<Awaited<ReturnType<MetadataMethods[K]>>>;

/** The metadata service on Postgres. Nothing in it would be missed by a second instance on the same database. */
export class MetadataService extends Metadata implements OutboxSource {
  private readonly buckets: BucketRepository;
  private readonly creations = new BucketCreations();
  private readonly maps: ClusterMapRepository;
  private readonly commits: CommitBatcher;
  private readonly deletes: DeleteBatcher;
  private readonly lookups: ReadBatcher;
  private readonly lists: ObjectListRepository;
  private readonly versionLists: VersionListRepository;
  private readonly tags: ObjectTagRepository;
  private readonly uploads: UploadRepository;
  private readonly uploadLists: UploadListRepository;
  private readonly writes: WriteRepository;
  private readonly outbox: OutboxRepository;
  private readonly signal: OutboxSignal;
  private readonly statuses: StatusRepository;
  private readonly housekeeping: HousekeepingWorker;

  private constructor(
    private readonly database: MetadataDatabase,
    private readonly trace: MetadataOptions['trace'],
    settings: MetadataSettings,
  ) {
    super();
    this.outbox = new OutboxRepository(database, settings);
    this.signal = new OutboxSignal(database, this.outbox);
    const options = {
      graceMs: settings.graceMs,
      freeDelayMs: settings.freeDelayMs,
      onOwed: () => this.signal.written(),
    };
    this.buckets = new BucketRepository(database, settings.freeDelayMs);
    this.maps = new ClusterMapRepository(database);
    this.commits = new CommitBatcher(database, this.maps, options);
    this.deletes = new DeleteBatcher(database, options);
    this.lookups = new ReadBatcher(database);
    this.lists = new ObjectListRepository(database);
    this.versionLists = new VersionListRepository(database);
    this.tags = new ObjectTagRepository(database);
    this.uploads = new UploadRepository(database, this.maps, options);
    this.uploadLists = new UploadListRepository(database);
    this.writes = new WriteRepository(database, settings.graceMs);
    this.statuses = new StatusRepository(database);
    this.housekeeping = new HousekeepingWorker(() => this.statuses.tidy(), settings.housekeepingMs);
  }

  /**
   * Migrates the schema, brings the seed into the cluster map and answers the running service; `close` ends it.
   * Errors: ServiceUnavailable, ForeignDatabase (the seed names another cluster), InvalidRequest (Postgres too old, not UTF8,
   * no cluster map, or a device in the place of another).
   */
  static async open(options: MetadataOptions): Promise<MetadataService> {
    const settings = { ...METADATA_DEFAULTS, ...options.settings };
    const database = new MetadataDatabase(options.databaseUrl, settings.answerTimeoutMs);
    const service = new MetadataService(database, options.trace, settings);
    try {
      await migrate(database, options.databaseUrl);
      if (options.clusterMapSeed !== undefined) await service.maps.applySeed(options.clusterMapSeed);
      await service.maps.assertPresent();
    } catch (error) {
      await service.close();
      throw asOperatingError(error);
    }
    service.housekeeping.start();
    return service;
  }

  async close(): Promise<void> {
    await this.housekeeping.stop();
    await this.signal.close();
    await this.database.close();
  }

  override async createBucket(call: CallContext, input: Input<'createBucket'>): Output<'createBucket'> {
    return this.guarded(async () => {
      if (!isStorableText(input.name)) throw new HoldfastError('InvalidBucketName');
      const defaults = bucketDefaults(input.name, await this.maps.current());
      this.step(call, 'bucket-creation', 6, input.name);
      const made = await this.buckets.create(call, { ...input, ...defaults });
      const answer = { ...made, outcome: this.creations.judge(made, input) };
      if (answer.outcome === 'created') this.step(call, 'bucket-creation', 7, input.name);
      this.step(call, 'bucket-creation', 8, answer.outcome);
      return answer;
    });
  }

  override findBucket(_call: CallContext, input: Input<'findBucket'>): Output<'findBucket'> {
    return this.guarded(async () => {
      const { bucket } = await this.lookups.find(input.name);
      return bucket === undefined ? {} : { bucket };
    });
  }

  override deleteBucket(call: CallContext, input: Input<'deleteBucket'>): Output<'deleteBucket'> {
    return this.guarded(async () => ({ outcome: await this.buckets.delete(call, input.bucketId) }));
  }

  override listBuckets(_call: CallContext, input: Input<'listBuckets'>): Output<'listBuckets'> {
    return this.guarded(async () => {
      // No name begins with, or follows, what no name can hold.
      if (![input.prefix, input.after].every(isStorableText)) return { buckets: [], truncated: false };
      return this.buckets.list(input);
    });
  }

  override setVersioning(call: CallContext, input: Input<'setVersioning'>): Output<'setVersioning'> {
    return this.guarded(() => this.buckets.setVersioning(call, input));
  }

  override bucketConfiguration(_call: CallContext, input: Input<'bucketConfiguration'>): Output<'bucketConfiguration'> {
    return this.guarded(() => this.buckets.configuration(input));
  }

  override putBucketConfiguration(
    call: CallContext,
    input: Input<'putBucketConfiguration'>,
  ): Output<'putBucketConfiguration'> {
    return this.guarded(() => {
      if (!isStorableText(input.document ?? '')) throw new HoldfastError('InvalidArgument');
      return this.buckets.putConfiguration(call, input);
    });
  }

  override commitObject(call: CallContext, input: Input<'commitObject'>): Output<'commitObject'> {
    return this.guarded(async () => {
      assertStorableKey(input.key);
      assertStorableTags(input.tags ?? {});
      const answer = await this.commits.commit(call, input, () =>
        this.step(call, 'object-creation', 9, input.versionId),
      );
      if (answer.outcome === 'committed') this.step(call, 'object-creation', 11, answer.versionId);
      this.step(call, 'object-creation', 12, answer.outcome);
      return answer;
    });
  }

  override findObject(call: CallContext, input: Input<'findObject'>): Output<'findObject'> {
    return this.guarded(async () => {
      const { bucketName, key, versionId } = input;
      const found =
        versionId === undefined
          ? await this.lookups.find(bucketName, key)
          : await this.lookups.findVersion(bucketName, key, versionId);
      this.step(call, 'object-download', 6, found.version?.versionId ?? 'none');
      return found;
    });
  }

  override readParts(_call: CallContext, input: Input<'readParts'>): Output<'readParts'> {
    return this.guarded(() => this.uploads.readParts(input));
  }

  override listVersionParts(_call: CallContext, input: Input<'listVersionParts'>): Output<'listVersionParts'> {
    return this.guarded(() => this.uploadLists.versionParts(input));
  }

  override deleteObjects(call: CallContext, input: Input<'deleteObjects'>): Output<'deleteObjects'> {
    return this.guarded(async () => {
      for (const item of input.items) assertStorableKey(item.key);
      return { outcomes: await this.deletes.delete(call, input) };
    });
  }

  override setObjectTags(call: CallContext, input: Input<'setObjectTags'>): Output<'setObjectTags'> {
    return this.guarded(() => {
      assertStorableKey(input.key);
      assertStorableTags(input.tags);
      return this.tags.set(call, input);
    });
  }

  override listObjects(_call: CallContext, input: Input<'listObjects'>): Output<'listObjects'> {
    return this.guarded(async () => {
      const { bucket } = await this.lookups.find(input.bucketName);
      if (bucket === undefined) return { entries: [], truncated: false, probes: 0 };
      return { bucket, ...(await this.lists.page(bucket.bucketId, input)) };
    });
  }

  override listVersions(_call: CallContext, input: Input<'listVersions'>): Output<'listVersions'> {
    return this.guarded(async () => {
      const { bucket } = await this.lookups.find(input.bucketName);
      if (bucket === undefined) return { entries: [], truncated: false, probes: 0 };
      return { bucket, ...(await this.versionLists.page(bucket.bucketId, input)) };
    });
  }

  override createUpload(call: CallContext, input: Input<'createUpload'>): Output<'createUpload'> {
    return this.guarded(() => {
      assertStorableKey(input.key);
      assertStorableTags(input.tags ?? {});
      return this.uploads.create(call, input);
    });
  }

  override listUploads(_call: CallContext, input: Input<'listUploads'>): Output<'listUploads'> {
    return this.guarded(() => this.uploadLists.page(input));
  }

  override findUpload(_call: CallContext, input: Input<'findUpload'>): Output<'findUpload'> {
    return this.guarded(() => {
      assertStorableKey(input.key);
      return this.uploads.find(input);
    });
  }

  override commitPart(call: CallContext, input: Input<'commitPart'>): Output<'commitPart'> {
    return this.guarded(() => {
      assertStorableKey(input.key);
      return this.uploads.commitPart(call, input);
    });
  }

  override listParts(_call: CallContext, input: Input<'listParts'>): Output<'listParts'> {
    return this.guarded(() => {
      assertStorableKey(input.key);
      return this.uploads.listParts(input);
    });
  }

  override completeUpload(call: CallContext, input: Input<'completeUpload'>): Output<'completeUpload'> {
    return this.guarded(() => {
      assertStorableKey(input.key);
      return this.uploads.complete(call, input);
    });
  }

  override abortUpload(call: CallContext, input: Input<'abortUpload'>): Output<'abortUpload'> {
    return this.guarded(() => {
      assertStorableKey(input.key);
      return this.uploads.abort(call, input);
    });
  }

  override clusterMap(): Output<'clusterMap'> {
    return this.guarded(() => this.maps.current());
  }

  override findWrite(_call: CallContext, input: Input<'findWrite'>): Output<'findWrite'> {
    return this.guarded(() => this.writes.find(input));
  }

  override confirmReplica(call: CallContext, input: Input<'confirmReplica'>): Output<'confirmReplica'> {
    return this.guarded(() => this.writes.confirmReplica(call, input));
  }

  override confirmIntent(_call: CallContext, input: Input<'confirmIntent'>): Output<'confirmIntent'> {
    return this.guarded(() => this.writes.confirmIntent(input.intentId));
  }

  override liveWrites(_call: CallContext, input: Input<'liveWrites'>): Output<'liveWrites'> {
    return this.guarded(() => this.writes.live(input));
  }

  override databaseIdentity(): Output<'databaseIdentity'> {
    return this.guarded(() => this.maps.identity());
  }

  override bucketUsage(_call: CallContext, { bucketIds }: Input<'bucketUsage'>): Output<'bucketUsage'> {
    return this.guarded(async () => ({ usage: await this.statuses.bucketUsage(bucketIds) }));
  }

  override accountUsage(_call: CallContext, { accountId }: Input<'accountUsage'>): Output<'accountUsage'> {
    return this.guarded(() => this.statuses.accountUsage(accountId));
  }

  override status(): Output<'status'> {
    return this.guarded(() => this.statuses.status());
  }

  /** Makes the next epoch of the map while no commit is under way; answers the new map. */
  changeClusterMap(change: (map: ClusterMap) => Pick<ClusterMap, 'sets'>): Promise<ClusterMap> {
    return this.guarded(() => this.maps.change(change));
  }

  /** One run of the housekeeping: folds usage. */
  tidy(): Promise<number> {
    return this.guarded(() => this.statuses.tidy());
  }

  claimIntents(limit: number): Promise<ClaimedIntent[]> {
    return this.guarded(() => this.outbox.claim(limit));
  }

  releaseIntents(intents: readonly ClaimedIntent[], backoffMs: number): Promise<void> {
    return this.guarded(() =>
      this.outbox.release(
        intents.map((claimed) => claimed.intent.intentId),
        backoffMs,
      ),
    );
  }

  onOutboxWritten(wake: () => void): () => void {
    return this.signal.subscribe(wake);
  }

  private step(call: CallContext, flow: FlowName, step: number, detail: string): void {
    if (call.flow === flow) this.trace.step(call, step, detail);
  }

  /** What leaves the service is an operating error of the table, never one of the driver. */
  private async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof HoldfastError || isProgrammingError(error)) throw error;
      throw asOperatingError(error);
    }
  }
}

/** A broken invariant or a bug is not "the database does not answer". */
function isProgrammingError(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || (error as Error).name === 'InvariantViolation';
}
