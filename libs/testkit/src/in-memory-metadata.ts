import { createHash } from 'node:crypto';
import { systemClock, type Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  LIMITS,
  Metadata,
  type BucketRecord,
  type ClusterMap,
  type ListedUpload,
  type DeleteConditions,
  type DeleteOutcome,
  type MetadataMethods,
  type ObjectAttributes,
  type ObjectVersion,
  type PartInfo,
  type UploadChecksum,
  type WriteConditions,
  type WrittenPart,
} from '@holdfast/contracts';
import { compareBytes, pageOf } from './in-memory-listing.js';
import { InMemoryVersions } from './in-memory-versions.js';
import { uploadPageOf } from './in-memory-upload-list.js';

type In<M extends keyof MetadataMethods> = Parameters<MetadataMethods[M]>[1];
type Out<M extends keyof MetadataMethods> = ReturnType<MetadataMethods[M]>;

interface HeldPart extends PartInfo {
  readonly written: WrittenPart;
}
interface HeldUpload {
  readonly attributes: ObjectAttributes;
  readonly tags?: Record<string, string>;
  readonly checksum?: UploadChecksum;
  readonly accountId: string;
  readonly initiatorArn: string;
  readonly createdAtMs: number;
  readonly parts: Map<number, HeldPart>;
}
interface HeldVersion extends ObjectVersion {
  readonly parts?: readonly HeldPart[];
}

const MAP: ClusterMap = { clusterId: 'in-memory', generation: 1, epoch: 1n, sets: [] };

/** `Metadata` without a database: commits are judged one by one. */
export class InMemoryMetadata extends Metadata {
  private readonly buckets = new Map<string, BucketRecord>();
  private readonly objects = new Map<bigint, InMemoryVersions<HeldVersion>>();
  private readonly documents = new Map<string, string>();
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
    const versions = bucket && this.versionsOf(bucket.bucketId);
    const held = versions?.newest(key);
    if (held !== undefined) versions?.replace({ ...held, replication });
  }

  override async createBucket(_call: unknown, { name, accountId, location }: In<'createBucket'>): Out<'createBucket'> {
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
      configurations: [],
      ...(location === undefined ? {} : { location }),
    };
    this.buckets.set(name, bucket);
    this.objects.set(bucket.bucketId, new InMemoryVersions());
    return { outcome: 'created', bucket };
  }

  override async findBucket(_call: unknown, { name }: In<'findBucket'>): Out<'findBucket'> {
    return { bucket: this.buckets.get(name) };
  }

  override async deleteBucket(_call: unknown, { bucketId }: In<'deleteBucket'>): Out<'deleteBucket'> {
    const bucket = this.byId(bucketId);
    if (bucket === undefined) return { outcome: 'no-bucket' };
    if (!this.versionsOf(bucketId).isEmpty) return { outcome: 'not-empty' };
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

  override async setVersioning(_call: unknown, input: In<'setVersioning'>): Out<'setVersioning'> {
    return this.change(input, { versioning: input.versioning });
  }

  override async bucketConfiguration(
    _call: unknown,
    { bucketId, kind }: In<'bucketConfiguration'>,
  ): Out<'bucketConfiguration'> {
    const document = this.documents.get(`${bucketId}/${kind}`);
    return { revision: this.byId(bucketId)?.revision ?? 0n, ...(document === undefined ? {} : { document }) };
  }

  override async putBucketConfiguration(
    _call: unknown,
    input: In<'putBucketConfiguration'>,
  ): Out<'putBucketConfiguration'> {
    const { bucketId, kind, document } = input;
    const others = (this.byId(bucketId)?.configurations ?? []).filter((other) => other !== kind);
    const answer = this.change(input, { configurations: document === undefined ? others : [...others, kind] });
    if (answer.outcome !== 'changed') return answer;
    if (document === undefined) this.documents.delete(`${bucketId}/${kind}`);
    else this.documents.set(`${bucketId}/${kind}`, document);
    return answer;
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
    const held = this.versionsOf(bucket.bucketId).find(key, versionId);
    if (held === undefined) return { bucket };
    const { parts: _parts, ...version } = held;
    return { bucket, version };
  }

  override async readParts(
    _call: unknown,
    { bucketId, versionId, firstPart, lastPart }: In<'readParts'>,
  ): Out<'readParts'> {
    const version = [...this.versionsOf(bucketId).all()].find((one) => one.versionId === versionId);
    const parts = (version?.parts ?? []).slice(firstPart, lastPart + 1);
    return { parts: parts.map(({ written }) => ({ sizeBytes: written.sizeBytes, chunks: written.chunks })) };
  }

  override async listVersionParts(_call: unknown, input: In<'listVersionParts'>): Out<'listVersionParts'> {
    const version = [...this.versionsOf(input.bucketId).all()].find((one) => one.versionId === input.versionId);
    const after = (version?.parts ?? [])
      .map(({ partNumber, sizeBytes, checksums }, place) => ({ place, partNumber, sizeBytes, checksums }))
      .filter(({ partNumber }) => partNumber > input.afterPart);
    return { parts: after.slice(0, input.limit), truncated: input.limit > 0 && after.length > input.limit };
  }

  override async deleteObjects(
    _call: unknown,
    { bucketId, bucketRevision, items }: In<'deleteObjects'>,
  ): Out<'deleteObjects'> {
    return { outcomes: items.map((item) => this.deleteOne(bucketId, bucketRevision, item)) };
  }

  private deleteOne(
    bucketId: bigint,
    revision: bigint,
    { key, versionId, conditions }: In<'deleteObjects'>['items'][number],
  ): DeleteOutcome {
    const bucket = this.byId(bucketId);
    const refused = { existed: false, removedMarker: false };
    if (bucket === undefined) return { outcome: 'no-bucket', ...refused };
    if (bucket.revision !== revision) return { outcome: 'bucket-changed', ...refused };
    const versions = this.versionsOf(bucketId);
    const held = versionId === undefined ? versions.currentOf(key) : versions.find(key, versionId);
    const existed = held !== undefined;
    if (!meets(conditions, held)) return { outcome: 'precondition-failed', existed, removedMarker: false };
    if (versionId !== undefined) {
      if (held !== undefined) versions.remove(held);
      return { outcome: 'deleted', existed, removedMarker: held?.isDeleteMarker === true };
    }
    const marker = versions.deleteKey(key, bucket.versioning, (markerId, isNull) => {
      const attributes = { headers: {}, userMetadata: {}, storageClass: 'STANDARD', checksums: {} };
      const named = { versionId: markerId, isNull, isDeleteMarker: true, etag: '', attributes, sizeBytes: 0 };
      return this.versionFrom(bucketId, key, named);
    });
    return { outcome: 'deleted', existed, removedMarker: false, ...(marker === undefined ? {} : { marker }) };
  }

  override async setObjectTags(_call: unknown, input: In<'setObjectTags'>): Out<'setObjectTags'> {
    const { bucketId, bucketRevision, key, versionId, tags } = input;
    const bucket = this.byId(bucketId);
    if (bucket === undefined) return { outcome: 'no-bucket' };
    if (bucket.revision !== bucketRevision) return { outcome: 'bucket-changed' };
    const held = this.versionsOf(bucketId).find(key, versionId);
    if (held === undefined) return { outcome: versionId === undefined ? 'no-such-key' : 'no-such-version' };
    const { isNull, lastModifiedMs } = held;
    const version = { versionId: held.versionId, isNull, lastModifiedMs };
    if (held.isDeleteMarker) return { outcome: 'delete-marker', version };
    const { tags: _old, ...rest } = held;
    const tagged = { ...rest, revision: this.next(), ...(Object.keys(tags).length === 0 ? {} : { tags }) };
    this.versionsOf(bucketId).replace(tagged);
    return { outcome: 'set', version };
  }

  override async listObjects(_call: unknown, input: In<'listObjects'>): Out<'listObjects'> {
    const bucket = this.buckets.get(input.bucketName);
    if (bucket === undefined) return { entries: [], truncated: false, probes: 0 };
    const page = pageOf(this.versionsOf(bucket.bucketId).current(), input);
    const entries = page.entries.map((entry) =>
      typeof entry === 'string'
        ? { kind: 'prefix' as const, prefix: entry }
        : { kind: 'object' as const, object: listed(entry) },
    );
    return { bucket, entries, truncated: page.truncated, probes: entries.length + 1 };
  }

  override async listVersions(_call: unknown, input: In<'listVersions'>): Out<'listVersions'> {
    const bucket = this.buckets.get(input.bucketName);
    if (bucket === undefined) return { entries: [], truncated: false, probes: 0 };
    const versions = this.versionsOf(bucket.bucketId);
    const page = pageOf([...versions.all()], input);
    const entries = page.entries.map((entry) => {
      if (typeof entry === 'string') return { kind: 'prefix' as const, prefix: entry };
      const { versionId, isNull, isDeleteMarker } = entry;
      const isLatest = versions.newest(entry.key) === entry;
      return {
        kind: 'version' as const,
        version: { ...listed(entry), versionId, isNull, isLatest, isDeleteMarker },
      };
    });
    return { bucket, entries, truncated: page.truncated, probes: entries.length + 1 };
  }

  override async createUpload(_call: unknown, input: In<'createUpload'>): Out<'createUpload'> {
    if (this.byId(input.bucketId) === undefined) return { outcome: 'no-bucket' };
    const { attributes, tags, checksum, accountId, initiatorArn } = input;
    const createdAtMs = this.clock.nowMs();
    const upload = { attributes, tags, checksum, accountId, initiatorArn, createdAtMs, parts: new Map() };
    this.uploads.set(uploadKey(input), upload);
    return { outcome: 'created' };
  }

  override async listUploads(_call: unknown, input: In<'listUploads'>): Out<'listUploads'> {
    const open: ListedUpload[] = [];
    for (const [name, { attributes, checksum, initiatorArn, createdAtMs }] of this.uploads) {
      const [bucketId, uploadId] = name.split('/', 2);
      if (bucketId !== String(input.bucketId)) continue;
      const key = name.slice(bucketId.length + uploadId.length + 2);
      open.push({ key, uploadId, initiatorArn, storageClass: attributes.storageClass, checksum, createdAtMs });
    }
    return uploadPageOf(open, input);
  }

  override async findUpload(_call: unknown, reference: In<'findUpload'>): Out<'findUpload'> {
    const held = this.uploads.get(uploadKey(reference));
    if (held === undefined) return {};
    const { parts: _parts, ...upload } = held;
    return { upload };
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
    const algorithm = upload.checksum?.algorithm;
    for (const [index, { partNumber, etag, checksum }] of input.parts.entries()) {
      if (index > 0 && partNumber <= input.parts[index - 1].partNumber) return { outcome: 'invalid-part-order' };
      const part = upload.parts.get(partNumber);
      if (part?.etag !== etag) return { outcome: 'invalid-part' };
      if (algorithm !== undefined && part.checksums[algorithm] !== checksum) return { outcome: 'invalid-part' };
      if (index < input.parts.length - 1 && part.sizeBytes < LIMITS.partBytesMin) return { outcome: 'part-too-small' };
      parts.push(part);
    }
    const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    if (input.sizeBytes !== undefined && input.sizeBytes !== sizeBytes) return { outcome: 'size-mismatch' };
    const refusal = this.judge(input.bucketId, input.bucketRevision, input.key, input.conditions);
    if (refusal !== undefined) return { outcome: refusal };
    const md5 = createHash('md5');
    for (const { etag } of parts) md5.update(etag, 'hex');
    const version = this.store(input.bucketId, input.key, {
      versionId: input.versionId,
      etag: `${md5.digest('hex')}-${parts.length}`,
      attributes: completed(upload.attributes, input),
      ...(upload.tags === undefined ? {} : { tags: upload.tags }),
      sizeBytes,
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
      const held = [...this.versionsOf(bucketId).all()].find((version) => version.writeId === writeId);
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
      [...this.versionsOf(bucketId).all()].flatMap(({ writeId: held, chunks }) =>
        held === writeId && chunks !== undefined ? [{ writeId, chunks }] : [],
      ),
    );
    return { database: await this.databaseIdentity(), live };
  }

  override async databaseIdentity(): Out<'databaseIdentity'> {
    return { clusterId: MAP.clusterId, generation: 1, sequence: this.sequence };
  }

  override async bucketUsage(_call: unknown, { bucketIds }: In<'bucketUsage'>): Out<'bucketUsage'> {
    return { usage: bucketIds.map((bucketId) => ({ bucketId, ...this.heldBy(bucketId) })) };
  }

  override async accountUsage(_call: unknown, { accountId }: In<'accountUsage'>): Out<'accountUsage'> {
    const owned = [...this.buckets.values()].filter((bucket) => bucket.accountId === accountId);
    const held = owned.map(({ bucketId }) => this.heldBy(bucketId));
    const sum = (of: 'objects' | 'bytes'): number => held.reduce((total, usage) => total + usage[of], 0);
    return { buckets: owned.length, objects: sum('objects'), bytes: sum('bytes') };
  }

  override async status(): Out<'status'> {
    const versions = [...this.objects.values()]
      .flatMap((held) => [...held.all()])
      .filter(({ isDeleteMarker }) => !isDeleteMarker);
    const bytes = versions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const counts = { buckets: this.buckets.size, objects: versions.length, bytes };
    return { epoch: MAP.epoch, ...counts, outbox: {}, oldestReplicateMs: 0 };
  }

  private heldBy(bucketId: bigint): { objects: number; bytes: number } {
    const versions = [...(this.objects.get(bucketId)?.all() ?? [])].filter(({ isDeleteMarker }) => !isDeleteMarker);
    return { objects: versions.length, bytes: versions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  }

  private next(): bigint {
    this.sequence += 1n;
    return this.sequence;
  }

  private change(
    { bucketId, bucketRevision }: { bucketId: bigint; bucketRevision?: bigint },
    change: Partial<BucketRecord>,
  ): Awaited<Out<'setVersioning'>> {
    const bucket = this.byId(bucketId);
    if (bucket === undefined) return { outcome: 'no-bucket' };
    if (bucketRevision !== undefined && bucketRevision !== bucket.revision) return { outcome: 'bucket-changed' };
    const revision = this.next();
    this.buckets.set(bucket.name, { ...bucket, ...change, revision });
    return { outcome: 'changed', revision };
  }

  private byId(bucketId: bigint): BucketRecord | undefined {
    for (const bucket of this.buckets.values()) if (bucket.bucketId === bucketId) return bucket;
    return undefined;
  }

  private versionsOf(bucketId: bigint): InMemoryVersions<HeldVersion> {
    return this.objects.get(bucketId) ?? new InMemoryVersions();
  }

  private judge(bucketId: bigint, revision: bigint, key: string, { ifMatch, ifNoneMatch }: WriteConditions) {
    const bucket = this.byId(bucketId);
    if (bucket === undefined) return 'no-bucket';
    if (bucket.revision !== revision) return 'bucket-changed';
    const held = this.versionsOf(bucketId).currentOf(key);
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
    const bucket = this.byId(bucketId);
    if (bucket === undefined) throw new HoldfastError('InternalError');
    const version = this.versionFrom(bucketId, key, { isNull: bucket.versioning !== 'enabled', ...record });
    this.versionsOf(bucketId).add(version);
    return version;
  }

  private versionFrom(
    bucketId: bigint,
    key: string,
    record: Pick<HeldVersion, 'versionId' | 'etag' | 'attributes' | 'sizeBytes' | 'isNull'> & Partial<HeldVersion>,
  ): HeldVersion {
    const sequence = this.next();
    const lastModifiedMs = this.clock.nowMs();
    return {
      bucketId,
      key,
      isDeleteMarker: false,
      sequence,
      revision: sequence,
      lastModifiedMs,
      replication: 'none',
      ...record,
    };
  }
}

function meets(conditions: DeleteConditions, held: HeldVersion | undefined): boolean {
  const { ifMatch, ifModifiedAtSeconds, ifSizeBytes } = conditions;
  if (ifMatch !== undefined && (held === undefined || !matches(ifMatch, held.etag))) return false;
  if (ifModifiedAtSeconds !== undefined && ifModifiedAtSeconds !== seconds(held?.lastModifiedMs)) return false;
  return ifSizeBytes === undefined || ifSizeBytes === held?.sizeBytes;
}

function seconds(atMs: number | undefined): number | undefined {
  return atMs === undefined ? undefined : Math.floor(atMs / 1000);
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

function resultOf({ etag, versionId, isNull, lastModifiedMs, attributes }: HeldVersion) {
  const { checksums, checksumType } = attributes;
  return { etag, versionId, isNull, lastModifiedMs, checksums, checksumType };
}

function completed(attributes: ObjectAttributes, { checksums, checksumType }: In<'completeUpload'>): ObjectAttributes {
  return checksumType === undefined ? attributes : { ...attributes, checksums, checksumType };
}
