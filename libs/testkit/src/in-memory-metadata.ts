import { createHash } from 'node:crypto';
import { systemClock, type Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  LIMITS,
  Metadata,
  type BucketRecord,
  type ClusterMap,
  type MetadataMethods,
  type ObjectAttributes,
  type ObjectVersion,
  type PartInfo,
  type WriteConditions,
  type WrittenPart,
} from '@holdfast/contracts';

type In<M extends keyof MetadataMethods> = Parameters<MetadataMethods[M]>[1];
type Out<M extends keyof MetadataMethods> = ReturnType<MetadataMethods[M]>;

interface HeldPart extends PartInfo {
  readonly written: WrittenPart;
}
interface HeldUpload {
  readonly attributes: ObjectAttributes;
  readonly accountId: string;
  readonly initiatorArn: string;
  readonly createdAtMs: number;
  readonly parts: Map<number, HeldPart>;
}
interface HeldVersion extends ObjectVersion {
  readonly parts?: readonly HeldPart[];
}

const MAP: ClusterMap = { clusterId: 'in-memory', generation: 1, epoch: 1n, sets: [] };

/** `Metadata` without a database, for buckets without versions: one current version a key, commits judged one by one. */
export class InMemoryMetadata extends Metadata {
  private readonly buckets = new Map<string, BucketRecord>();
  private readonly objects = new Map<bigint, Map<string, HeldVersion>>();
  private readonly uploads = new Map<string, HeldUpload>();
  private readonly completed = new Map<string, HeldVersion>();
  private sequence = 0n;

  constructor(private readonly clock: Clock = systemClock) {
    super();
  }

  /** Raises a bucket's revision, as a change of its configuration does. */
  touchBucket(name: string): void {
    const bucket = this.buckets.get(name);
    if (bucket !== undefined) this.buckets.set(name, { ...bucket, revision: this.next() });
  }

  /** Sets what replication would have set. */
  markReplication(bucketName: string, key: string, replication: ObjectVersion['replication']): void {
    const bucket = this.buckets.get(bucketName);
    const held = bucket && this.objects.get(bucket.bucketId)?.get(key);
    if (bucket && held) this.objects.get(bucket.bucketId)?.set(key, { ...held, replication });
  }

  override async createBucket(_call: unknown, { name, accountId }: In<'createBucket'>): Out<'createBucket'> {
    const held = this.buckets.get(name);
    if (held !== undefined) return { outcome: 'exists', bucket: held };
    const bucket: BucketRecord = {
      bucketId: this.next(),
      name,
      accountId,
      createdAtMs: this.clock.nowMs(),
      homeSetId: 1,
      profile: { k: 1, m: 0, secondary: false },
      versioning: 'unversioned',
      revision: this.next(),
    };
    this.buckets.set(name, bucket);
    this.objects.set(bucket.bucketId, new Map());
    return { outcome: 'created', bucket };
  }

  override async findBucket(_call: unknown, { name }: In<'findBucket'>): Out<'findBucket'> {
    return { bucket: this.buckets.get(name) };
  }

  override async deleteBucket(_call: unknown, { bucketId }: In<'deleteBucket'>): Out<'deleteBucket'> {
    const bucket = this.byId(bucketId);
    if (bucket === undefined) return { outcome: 'no-bucket' };
    if (this.keysOf(bucketId).size > 0) return { outcome: 'not-empty' };
    this.buckets.delete(bucket.name);
    this.objects.delete(bucketId);
    return { outcome: 'deleted' };
  }

  override async listBuckets(
    _call: unknown,
    { accountId, prefix, after, limit }: In<'listBuckets'>,
  ): Out<'listBuckets'> {
    const found = [...this.buckets.values()]
      .filter((bucket) => bucket.accountId === accountId && bucket.name.startsWith(prefix) && bucket.name > after)
      .sort((a, b) => compareBytes(a.name, b.name));
    return { buckets: found.slice(0, limit), truncated: found.length > limit };
  }

  override async commitObject(_call: unknown, commit: In<'commitObject'>): Out<'commitObject'> {
    const { bucketId, bucketRevision, key, conditions, written, ...rest } = commit;
    const refusal = this.judge(bucketId, bucketRevision, key, conditions);
    if (refusal !== undefined) return { outcome: refusal };
    const { attemptAgeMs: _age, ...record } = rest;
    const version = this.store(bucketId, key, {
      ...record,
      sizeBytes: written.sizeBytes,
      writeId: written.writeId,
      chunks: written.chunks,
    });
    return committedAnswer(version);
  }

  override async findObject(_call: unknown, { bucketName, key, versionId }: In<'findObject'>): Out<'findObject'> {
    const bucket = this.buckets.get(bucketName);
    if (bucket === undefined) return {};
    const held = this.keysOf(bucket.bucketId).get(key);
    const wanted = versionId === undefined || versionId === 'null' || versionId === held?.versionId;
    if (held === undefined || !wanted) return { bucket };
    const { parts: _parts, ...version } = held;
    return { bucket, version };
  }

  override async readParts(
    _call: unknown,
    { bucketId, versionId, firstPart, lastPart }: In<'readParts'>,
  ): Out<'readParts'> {
    const version = [...this.keysOf(bucketId).values()].find((one) => one.versionId === versionId);
    const parts = (version?.parts ?? []).slice(firstPart, lastPart + 1);
    return { parts: parts.map(({ written }) => ({ sizeBytes: written.sizeBytes, chunks: written.chunks })) };
  }

  override async deleteObjects(_call: unknown, { bucketId, items }: In<'deleteObjects'>): Out<'deleteObjects'> {
    const outcomes = items.map(({ key, versionId, conditions }) => {
      if (this.byId(bucketId) === undefined) return { outcome: 'no-bucket' as const, existed: false };
      const held = this.keysOf(bucketId).get(key);
      if (conditions.ifMatch !== undefined && held !== undefined && !matches(conditions.ifMatch, held.etag)) {
        return { outcome: 'precondition-failed' as const, existed: true };
      }
      const named = versionId === undefined || versionId === 'null' || versionId === held?.versionId;
      return { outcome: 'deleted' as const, existed: named && this.keysOf(bucketId).delete(key) };
    });
    return { outcomes };
  }

  override async listObjects(_call: unknown, input: In<'listObjects'>): Out<'listObjects'> {
    const bucket = this.buckets.get(input.bucketName);
    if (bucket === undefined) return { entries: [], truncated: false, probes: 0 };
    const { prefix, delimiter, afterKey, afterPrefix, limit } = input;
    const entries: Awaited<Out<'listObjects'>>['entries'] = [];
    let lastPrefix: string | undefined;
    const sorted = [...this.keysOf(bucket.bucketId).values()].sort((a, b) => compareBytes(a.key, b.key));
    for (const version of sorted) {
      const { key } = version;
      if (!key.startsWith(prefix) || (lastPrefix !== undefined && key.startsWith(lastPrefix))) continue;
      if (afterKey !== undefined && compareBytes(key, afterKey) <= 0) continue;
      if (afterPrefix !== undefined && (key.startsWith(afterPrefix) || compareBytes(key, afterPrefix) <= 0)) continue;
      if (entries.length === limit) return { bucket, entries, truncated: true, probes: entries.length + 1 };
      const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      if (at < 0) entries.push({ kind: 'object', object: listed(version) });
      else {
        lastPrefix = key.slice(0, at + delimiter.length);
        entries.push({ kind: 'prefix', prefix: lastPrefix });
      }
    }
    return { bucket, entries, truncated: false, probes: entries.length + 1 };
  }

  override async createUpload(_call: unknown, input: In<'createUpload'>): Out<'createUpload'> {
    if (this.byId(input.bucketId) === undefined) return { outcome: 'no-bucket' };
    const { attributes, accountId, initiatorArn } = input;
    const createdAtMs = this.clock.nowMs();
    this.uploads.set(uploadKey(input), { attributes, accountId, initiatorArn, createdAtMs, parts: new Map() });
    return { outcome: 'created' };
  }

  override async findUpload(_call: unknown, reference: In<'findUpload'>): Out<'findUpload'> {
    const held = this.uploads.get(uploadKey(reference));
    if (held === undefined) return {};
    const { attributes, accountId, initiatorArn, createdAtMs } = held;
    return { upload: { attributes, accountId, initiatorArn, createdAtMs } };
  }

  override async commitPart(_call: unknown, input: In<'commitPart'>): Out<'commitPart'> {
    const lastModifiedMs = this.clock.nowMs();
    const upload = this.uploads.get(uploadKey(input));
    if (upload === undefined) return { outcome: 'no-upload', lastModifiedMs };
    const { partNumber, etag, checksums, written } = input;
    const { sizeBytes } = written;
    upload.parts.set(partNumber, { partNumber, etag, checksums, written, sizeBytes, lastModifiedMs });
    return { outcome: 'committed', lastModifiedMs };
  }

  override async listParts(_call: unknown, input: In<'listParts'>): Out<'listParts'> {
    const upload = this.uploads.get(uploadKey(input));
    if (upload === undefined) return { found: false, parts: [], truncated: false };
    const after = [...upload.parts.values()]
      .filter(({ partNumber }) => partNumber > input.afterPart)
      .sort((a, b) => a.partNumber - b.partNumber);
    const parts = after.slice(0, input.limit).map(({ written: _written, ...part }) => part);
    return { found: true, parts, truncated: after.length > input.limit };
  }

  override async completeUpload(_call: unknown, input: In<'completeUpload'>): Out<'completeUpload'> {
    const name = uploadKey(input);
    const earlier = this.completed.get(name);
    if (earlier !== undefined) return { outcome: 'completed', ...resultOf(earlier) };
    const upload = this.uploads.get(name);
    if (upload === undefined) return { outcome: 'no-upload' };
    const parts: HeldPart[] = [];
    for (const [index, { partNumber, etag }] of input.parts.entries()) {
      if (index > 0 && partNumber <= input.parts[index - 1].partNumber) return { outcome: 'invalid-part-order' };
      const part = upload.parts.get(partNumber);
      if (part?.etag !== etag) return { outcome: 'invalid-part' };
      if (index < input.parts.length - 1 && part.sizeBytes < LIMITS.partBytesMin) return { outcome: 'part-too-small' };
      parts.push(part);
    }
    const refusal = this.judge(input.bucketId, input.bucketRevision, input.key, input.conditions);
    if (refusal !== undefined) return { outcome: refusal };
    const md5 = createHash('md5');
    for (const { etag } of parts) md5.update(etag, 'hex');
    const version = this.store(input.bucketId, input.key, {
      versionId: input.versionId,
      etag: `${md5.digest('hex')}-${parts.length}`,
      attributes: upload.attributes,
      sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
      partSizes: parts.map((part) => part.sizeBytes),
      parts,
    });
    this.uploads.delete(name);
    this.completed.set(name, version);
    return { outcome: 'completed', ...resultOf(version) };
  }

  override async abortUpload(_call: unknown, reference: In<'abortUpload'>): Out<'abortUpload'> {
    return { outcome: this.uploads.delete(uploadKey(reference)) ? 'aborted' : 'no-upload' };
  }

  override async clusterMap(): Out<'clusterMap'> {
    return MAP;
  }

  override async findWrite(_call: unknown, { writeId }: In<'findWrite'>): Out<'findWrite'> {
    for (const { name, bucketId, homeSetId, profile } of this.buckets.values()) {
      const held = [...this.keysOf(bucketId).values()].find((version) => version.writeId === writeId);
      if (held !== undefined)
        return { found: true, bucketName: name, profile, chunks: held.chunks, primarySetId: homeSetId };
    }
    return { found: false };
  }

  override async confirmReplica(): Out<'confirmReplica'> {
    return { outcome: 'gone' };
  }

  override async confirmIntent(): Out<'confirmIntent'> {
    // No intents are made here: no bucket has a secondary set.
  }

  override async liveWrites(_call: unknown, { writes }: In<'liveWrites'>): Out<'liveWrites'> {
    const live = writes.flatMap(({ bucketId, writeId }) =>
      [...this.keysOf(bucketId).values()].flatMap(({ writeId: held, chunks }) =>
        held === writeId && chunks !== undefined ? [{ writeId, chunks }] : [],
      ),
    );
    return { database: await this.databaseIdentity(), live };
  }

  override async databaseIdentity(): Out<'databaseIdentity'> {
    return { clusterId: MAP.clusterId, generation: 1, sequence: this.sequence };
  }

  override async status(): Out<'status'> {
    const versions = [...this.objects.values()].flatMap((keys) => [...keys.values()]);
    const bytes = versions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const counts = { buckets: this.buckets.size, objects: versions.length, bytes };
    return { epoch: MAP.epoch, ...counts, outbox: {}, oldestReplicateMs: 0 };
  }

  private next(): bigint {
    this.sequence += 1n;
    return this.sequence;
  }

  private byId(bucketId: bigint): BucketRecord | undefined {
    for (const bucket of this.buckets.values()) if (bucket.bucketId === bucketId) return bucket;
    return undefined;
  }

  private keysOf(bucketId: bigint): Map<string, HeldVersion> {
    return this.objects.get(bucketId) ?? new Map();
  }

  private judge(bucketId: bigint, revision: bigint, key: string, { ifMatch, ifNoneMatch }: WriteConditions) {
    const bucket = this.byId(bucketId);
    if (bucket === undefined) return 'no-bucket';
    if (bucket.revision !== revision) return 'bucket-changed';
    const held = this.keysOf(bucketId).get(key);
    if (ifMatch !== undefined && held === undefined) return 'no-such-key';
    if (ifMatch !== undefined && held !== undefined && !matches(ifMatch, held.etag)) return 'precondition-failed';
    if (ifNoneMatch !== undefined && held !== undefined && matches(ifNoneMatch, held.etag))
      return 'precondition-failed';
    return undefined;
  }

  private store(
    bucketId: bigint,
    key: string,
    record: Pick<HeldVersion, 'versionId' | 'etag' | 'attributes' | 'sizeBytes'> & Partial<HeldVersion>,
  ): HeldVersion {
    const keys = this.objects.get(bucketId);
    if (keys === undefined) throw new HoldfastError('InternalError');
    const version: HeldVersion = {
      bucketId,
      key,
      isNull: true,
      isDeleteMarker: false,
      sequence: this.next(),
      revision: this.next(),
      lastModifiedMs: this.clock.nowMs(),
      replication: 'none',
      ...record,
    };
    keys.set(key, version);
    return version;
  }
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function matches(tags: readonly string[], etag: string): boolean {
  return tags.includes('*') || tags.includes(etag);
}

function uploadKey({ bucketId, key, uploadId }: { bucketId: bigint; key: string; uploadId: string }): string {
  return `${bucketId}/${uploadId}/${key}`;
}

function listed({ key, sizeBytes, etag, lastModifiedMs, attributes }: HeldVersion) {
  const checksumAlgorithms = Object.keys(attributes.checksums);
  return { key, sizeBytes, etag, lastModifiedMs, storageClass: attributes.storageClass, checksumAlgorithms };
}

function committedAnswer({ sequence, lastModifiedMs, versionId, isNull }: HeldVersion) {
  return { outcome: 'committed' as const, sequence, lastModifiedMs, versionId, isNull };
}

function resultOf({ etag, versionId, isNull, lastModifiedMs }: HeldVersion) {
  return { etag, versionId, isNull, lastModifiedMs };
}
