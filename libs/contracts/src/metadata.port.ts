import { ClusterMapSchema, DATABASE_GENERATION_MAX } from './cluster-map.js';
import { RedundancyProfileSchema } from './redundancy.js';
import { s, type Infer } from './schema.js';
import { defineService, read, write, type PortOf } from './service.js';
import {
  ChecksumTypeSchema,
  ListUploadsSchema,
  PartInfoSchema,
  UploadChecksumSchema,
  UploadPageSchema,
  VersionPartSchema,
} from './upload-records.js';

const key = s.string(1024);
const bucketName = s.string(255);
/** Above the largest document of S3, CORS rules of 64 KiB, as XML. */
const BUCKET_DOCUMENT_CHARS_MAX = 256 * 1024;

/** Documents that a bucket carries beside its record. The store keeps their text; what it means is the gateway's. */
export const BucketConfigurationKindSchema = s.oneOf(
  'policy',
  'cors',
  'tagging',
  'public-access-block',
  'ownership-controls',
);
export type BucketConfigurationKind = Infer<typeof BucketConfigurationKindSchema>;

export const BucketRecordSchema = s.object({
  bucketId: s.bigint,
  name: bucketName,
  accountId: s.string(64),
  createdAtMs: s.integer(),
  homeSetId: s.integer(1, 65_535),
  profile: RedundancyProfileSchema,
  versioning: s.oneOf('unversioned', 'enabled', 'suspended'),
  /** Of the bucket's configuration: a commit that was judged by an older one is judged again. */
  revision: s.bigint,
  /** Kinds of the documents that are set, in no order: what is not named here need not be asked for. */
  configurations: s.array(BucketConfigurationKindSchema, 16),
  /** The other name of the region that its maker gave; absent: the region's own. */
  location: s.optional(s.string(64)),
});
export type BucketRecord = Infer<typeof BucketRecordSchema>;

/** What an application says about an object and gets back unchanged. */
export const ObjectAttributesSchema = s.object({
  /** content-type, cache-control, content-disposition, content-encoding, content-language, expires: as stored, lower-case names. */
  headers: s.record(s.string(8192), 16),
  /** x-amz-meta-* without the prefix, lower-case names. */
  userMetadata: s.record(s.string(8192), 200),
  storageClass: s.string(32),
  /** Algorithm name in lower case (`crc32c`) to base64 value; `-N` behind one that was made from the checksums of N parts. */
  checksums: s.record(s.string(128), 8),
  /** Absent: of the whole object. */
  checksumType: s.optional(ChecksumTypeSchema),
});
export type ObjectAttributes = Infer<typeof ObjectAttributesSchema>;

/** Key to value. Absent where it may be: no tags. */
const tags = s.record(s.string(512), 50);

export const ObjectVersionSchema = s.object({
  bucketId: s.bigint,
  key,
  versionId: s.hex(16),
  /** True in an unversioned or suspended bucket: S3 calls it `null`. */
  isNull: s.boolean,
  isDeleteMarker: s.boolean,
  sequence: s.bigint,
  revision: s.bigint,
  sizeBytes: s.integer(),
  /** Without quotes. */
  etag: s.string(128),
  lastModifiedMs: s.integer(),
  attributes: ObjectAttributesSchema,
  /** Absent when there are none. */
  tags: s.optional(tags),
  /** Write id of a single PUT; absent for a multipart object, whose parts have one each. */
  writeId: s.optional(s.hex(16)),
  /** Packed chunk list of a single PUT (see chunk-list.codec). Empty for 0 bytes. Absent for multipart. */
  chunks: s.optional(s.bytes),
  /** Sizes of the parts of a multipart object, in order of part number; absent for a single PUT. */
  partSizes: s.optional(s.array(s.integer(), 10_000)),
  /** `none` when no secondary set was owed a copy. */
  replication: s.oneOf('none', 'pending', 'completed'),
});
export type ObjectVersion = Infer<typeof ObjectVersionSchema>;

/** What the data service wrote for one body: one PUT, one part, one secondary copy. */
export const WrittenPartSchema = s.object({
  writeId: s.hex(16),
  sizeBytes: s.integer(),
  /** Packed chunk list. */
  chunks: s.bytes,
  /** Epoch of the map that the units were written under (the lowest, when it changed under way). */
  epoch: s.bigint,
  /** True when a chunk lies below the profile that the bucket asks for: a repair row is owed. */
  degraded: s.boolean,
});
export type WrittenPart = Infer<typeof WrittenPartSchema>;

/** ETags without quotes, or `*`. An absent list asks nothing. */
export const WriteConditionsSchema = s.object({
  ifMatch: s.optional(s.array(s.string(256), 100)),
  ifNoneMatch: s.optional(s.array(s.string(256), 100)),
});
export type WriteConditions = Infer<typeof WriteConditionsSchema>;

export const CommitObjectSchema = s.object({
  bucketId: s.bigint,
  /** The bucket revision that the request was authorised under. */
  bucketRevision: s.bigint,
  key,
  versionId: s.hex(16),
  etag: s.string(128),
  attributes: ObjectAttributesSchema,
  tags: s.optional(tags),
  conditions: WriteConditionsSchema,
  written: WrittenPartSchema,
  /** Milliseconds since before the first unit was written: older than half the collector's grace is refused. */
  attemptAgeMs: s.integer(),
});
export type CommitObject = Infer<typeof CommitObjectSchema>;

/** Why a write was not done. `late`, `margin-lost` and `bucket-changed` may be tried again by the client. */
const refusals = ['no-bucket', 'bucket-changed', 'precondition-failed', 'no-such-key', 'late', 'margin-lost'] as const;
const committed = s.object({
  outcome: s.oneOf('committed'),
  sequence: s.bigint,
  lastModifiedMs: s.integer(),
  versionId: s.hex(16),
  isNull: s.boolean,
});
const refused = s.object({ outcome: s.oneOf(...refusals) });

export const CommitAnswerSchema = s.union('outcome', {
  committed,
  'no-bucket': refused,
  'bucket-changed': refused,
  'precondition-failed': refused,
  'no-such-key': refused,
  late: refused,
  'margin-lost': refused,
});
export type CommitAnswer = Infer<typeof CommitAnswerSchema>;

/** Each must hold of the version that the delete names, or of the current one; nothing meets none of them. */
export const DeleteConditionsSchema = s.object({
  /** ETags without quotes, or `*`. */
  ifMatch: s.optional(s.array(s.string(256), 100)),
  /** Last modified in this second since the epoch. */
  ifModifiedAtSeconds: s.optional(s.integer()),
  ifSizeBytes: s.optional(s.integer()),
});
export type DeleteConditions = Infer<typeof DeleteConditionsSchema>;

export const DeleteItemSchema = s.object({
  key,
  /** Hex id, `null`, or absent: the key itself, which in a versioned bucket lays a delete marker. */
  versionId: s.optional(s.string(64)),
  conditions: DeleteConditionsSchema,
});
export const DeleteOutcomeSchema = s.object({
  /** `deleted` also when there was nothing: S3 deletes are idempotent. */
  outcome: s.oneOf('deleted', 'precondition-failed', 'no-bucket', 'bucket-changed', 'late'),
  /** A delete marker was made (versioned buckets). */
  marker: s.optional(s.object({ versionId: s.hex(16), isNull: s.boolean })),
  existed: s.boolean,
  /** The version that was named and is gone was a delete marker. */
  removedMarker: s.boolean,
});
export type DeleteOutcome = Infer<typeof DeleteOutcomeSchema>;

export const ListedObjectSchema = s.object({
  key,
  sizeBytes: s.integer(),
  etag: s.string(128),
  lastModifiedMs: s.integer(),
  storageClass: s.string(32),
  checksumAlgorithms: s.array(s.string(16), 8),
});
export type ListedObject = Infer<typeof ListedObjectSchema>;

export const ListObjectsSchema = s.object({
  bucketName,
  prefix: s.string(1024),
  /** Empty: none. */
  delimiter: s.string(1024),
  /** Strictly after this key … */
  afterKey: s.optional(s.string(1024)),
  /** … or after every key that begins with this common prefix. */
  afterPrefix: s.optional(s.string(1024)),
  limit: s.integer(0, 1000),
});
export type ListObjects = Infer<typeof ListObjectsSchema>;

export const ObjectListSchema = s.object({
  bucket: s.optional(BucketRecordSchema),
  /** Keys and common prefixes in one order, unsigned byte order of UTF-8. */
  entries: s.array(
    s.union('kind', {
      object: s.object({ kind: s.oneOf('object'), object: ListedObjectSchema }),
      prefix: s.object({ kind: s.oneOf('prefix'), prefix: s.string(1024) }),
    }),
    1000,
  ),
  truncated: s.boolean,
  /** Index probes made: cost follows what is returned, not what is stored. */
  probes: s.integer(),
});
export type ObjectList = Infer<typeof ObjectListSchema>;

export const ListedVersionSchema = s.object({
  key,
  versionId: s.hex(16),
  isNull: s.boolean,
  isLatest: s.boolean,
  isDeleteMarker: s.boolean,
  sizeBytes: s.integer(),
  etag: s.string(128),
  lastModifiedMs: s.integer(),
  storageClass: s.string(32),
  checksumAlgorithms: s.array(s.string(16), 8),
});
export type ListedVersion = Infer<typeof ListedVersionSchema>;

export const ListVersionsSchema = s.object({
  bucketName,
  prefix: s.string(1024),
  /** Empty: none. */
  delimiter: s.string(1024),
  /** Strictly after every version of this key … */
  afterKey: s.optional(s.string(1024)),
  /**
   * … or only after this version of it (hex id or `null`). Where that version is gone the key is listed from its newest
   * version on: some may come twice, none is left out.
   */
  afterVersionId: s.optional(s.string(64)),
  /** … or after every key that begins with this common prefix. */
  afterPrefix: s.optional(s.string(1024)),
  limit: s.integer(0, 1000),
});
export type ListVersions = Infer<typeof ListVersionsSchema>;

export const VersionListSchema = s.object({
  bucket: s.optional(BucketRecordSchema),
  /** By key in unsigned byte order of UTF-8, newest version first; common prefixes in their place. */
  entries: s.array(
    s.union('kind', {
      version: s.object({ kind: s.oneOf('version'), version: ListedVersionSchema }),
      prefix: s.object({ kind: s.oneOf('prefix'), prefix: s.string(1024) }),
    }),
    1000,
  ),
  truncated: s.boolean,
  /** Index probes made. */
  probes: s.integer(),
});
export type VersionList = Infer<typeof VersionListSchema>;

const uploadRef = { bucketId: s.bigint, key, uploadId: s.hex(16) };

/** Work owed by a commit. `payload` is JSON text of the kind (see outbox.ts). */
export const OutboxKindSchema = s.oneOf('catalogue', 'replicate', 'repair', 'free', 'notify');
export type OutboxKind = Infer<typeof OutboxKindSchema>;

/** Which database speaks: a device frees nothing for another cluster, another generation or a lower sequence. */
export const DatabaseIdentitySchema = s.object({
  clusterId: s.string(64),
  generation: s.integer(1, DATABASE_GENERATION_MAX),
  sequence: s.bigint,
});
export type DatabaseIdentity = Infer<typeof DatabaseIdentitySchema>;

/** How a change of a bucket's configuration ended. `bucket-changed`: it was judged by an older revision. */
const bucketChange = s.object({
  outcome: s.oneOf('changed', 'no-bucket', 'bucket-changed', 'late'),
  /** The bucket's new revision, when it was changed. */
  revision: s.optional(s.bigint),
});

const versionRead = s.object({
  bucketName,
  key,
  /** Hex id, `null`, or absent for the current version. */
  versionId: s.optional(s.string(64)),
});

/**
 * Buckets, versions, uploads, listings, the cluster map and the outbox. A missing bucket or key is an answer here, never an
 * error. Errors: ServiceUnavailable (the database does not answer, or the outcome is not known), SlowDown, InternalError.
 */
export const metadataService = defineService('metadata', {
  /**
   * `in-progress`: the bucket was made by another call while this request, which arrived at `arrivedAtMs` (wall time) over
   * `connection`, was or may have been under way; of calls that overlap one is told `created`.
   */
  createBucket: write(
    s.object({
      name: bucketName,
      accountId: s.string(64),
      arrivedAtMs: s.optional(s.integer()),
      connection: s.optional(s.string(64)),
      location: s.optional(s.string(64)),
    }),
    s.object({ outcome: s.oneOf('created', 'exists', 'in-progress'), bucket: BucketRecordSchema }),
  ),
  findBucket: read(s.object({ name: bucketName }), s.object({ bucket: s.optional(BucketRecordSchema) })),
  /** Releases the bucket's open uploads in the same transaction. */
  deleteBucket: write(
    s.object({ bucketId: s.bigint }),
    s.object({ outcome: s.oneOf('deleted', 'no-bucket', 'not-empty') }),
  ),
  listBuckets: read(
    s.object({ accountId: s.string(64), prefix: bucketName, after: bucketName, limit: s.integer(1, 10_000) }),
    s.object({ buckets: s.array(BucketRecordSchema), truncated: s.boolean }),
  ),
  /** Takes the bucket alone: a commit before it was judged by the old versioning, one after it by the new one. */
  setVersioning: write(
    s.object({
      bucketId: s.bigint,
      /** The revision that the request was authorised under; absent: whatever it is. */
      bucketRevision: s.optional(s.bigint),
      versioning: s.oneOf('enabled', 'suspended'),
    }),
    bucketChange,
  ),
  /** `revision` is the bucket's, read with the document; 0: there is no such bucket. */
  bucketConfiguration: read(
    s.object({ bucketId: s.bigint, kind: BucketConfigurationKindSchema }),
    s.object({ document: s.optional(s.string(BUCKET_DOCUMENT_CHARS_MAX)), revision: s.bigint }),
  ),
  /** Sets the document, or takes it away when there is none. Takes the bucket alone and gives it a new revision. */
  putBucketConfiguration: write(
    s.object({
      bucketId: s.bigint,
      /** The revision that the request was authorised under; absent: whatever it is. */
      bucketRevision: s.optional(s.bigint),
      kind: BucketConfigurationKindSchema,
      document: s.optional(s.string(BUCKET_DOCUMENT_CHARS_MAX)),
    }),
    bucketChange,
  ),

  commitObject: write(CommitObjectSchema, CommitAnswerSchema),
  /** Bucket and version in one query. `version` may be a delete marker; absent when there is none. */
  findObject: read(
    versionRead,
    s.object({ bucket: s.optional(BucketRecordSchema), version: s.optional(ObjectVersionSchema) }),
  ),
  /** Packed chunk lists of parts `firstPart`..`lastPart` (indexes into partSizes, from 0) of a multipart version. */
  readParts: read(
    s.object({ bucketId: s.bigint, versionId: s.hex(16), firstPart: s.integer(0, 9999), lastPart: s.integer(0, 9999) }),
    s.object({ parts: s.array(s.object({ sizeBytes: s.integer(), chunks: s.bytes }), 10_000) }),
  ),
  /** Parts of a multipart version after a part number, in order, at most `limit`. Empty when the version is gone. */
  listVersionParts: read(
    s.object({
      bucketId: s.bigint,
      versionId: s.hex(16),
      afterPart: s.integer(0, 10_000),
      limit: s.integer(0, 1000),
    }),
    s.object({ parts: s.array(VersionPartSchema, 1000), truncated: s.boolean }),
  ),
  /** At most 64 items are judged in one transaction; the answer has one outcome per item in their order. */
  deleteObjects: write(
    s.object({ bucketId: s.bigint, bucketRevision: s.bigint, items: s.array(DeleteItemSchema, 1000) }),
    s.object({ outcomes: s.array(DeleteOutcomeSchema, 1000) }),
  ),
  /** Replaces the tags of one version under the lock of its key; an empty set takes them away. */
  setObjectTags: write(
    s.object({
      bucketId: s.bigint,
      bucketRevision: s.bigint,
      key,
      /** Hex id, `null`, or absent for the current version. */
      versionId: s.optional(s.string(64)),
      tags,
    }),
    s.object({
      outcome: s.oneOf('set', 'no-bucket', 'bucket-changed', 'no-such-key', 'no-such-version', 'delete-marker', 'late'),
      /** Of the version that was found, a delete marker too. */
      version: s.optional(s.object({ versionId: s.hex(16), isNull: s.boolean, lastModifiedMs: s.integer() })),
    }),
  ),
  listObjects: read(ListObjectsSchema, ObjectListSchema),
  listVersions: read(ListVersionsSchema, VersionListSchema),

  createUpload: write(
    s.object({
      ...uploadRef,
      attributes: ObjectAttributesSchema,
      tags: s.optional(tags),
      checksum: s.optional(UploadChecksumSchema),
      accountId: s.string(64),
      initiatorArn: s.string(512),
    }),
    s.object({ outcome: s.oneOf('created', 'no-bucket') }),
  ),
  listUploads: read(ListUploadsSchema, UploadPageSchema),
  /** The upload's own facts, or absent. `initiatorArn` says who may go on with it. */
  findUpload: read(
    s.object(uploadRef),
    s.object({
      upload: s.optional(
        s.object({
          attributes: ObjectAttributesSchema,
          checksum: s.optional(UploadChecksumSchema),
          accountId: s.string(64),
          initiatorArn: s.string(512),
          createdAtMs: s.integer(),
        }),
      ),
    }),
  ),
  commitPart: write(
    s.object({
      ...uploadRef,
      partNumber: s.integer(1, 10_000),
      etag: s.string(128),
      checksums: s.record(s.string(128), 8),
      written: WrittenPartSchema,
      attemptAgeMs: s.integer(),
    }),
    s.object({ outcome: s.oneOf('committed', 'no-upload', 'late', 'margin-lost'), lastModifiedMs: s.integer() }),
  ),
  listParts: read(
    s.object({ ...uploadRef, afterPart: s.integer(0, 10_000), limit: s.integer(0, 1000) }),
    s.object({ found: s.boolean, parts: s.array(PartInfoSchema, 1000), truncated: s.boolean }),
  ),
  /**
   * The result of an earlier Complete of the same upload is given again for 24 h, whatever is asked this time. `checksums` and
   * `checksumType` are those of the object that these parts make; a part that is not the one they were computed from (another
   * etag, another checksum) is an `invalid-part`.
   */
  completeUpload: write(
    s.object({
      ...uploadRef,
      versionId: s.hex(16),
      parts: s.array(
        s.object({
          partNumber: s.integer(1, 10_000),
          etag: s.string(128),
          /** Base64 under the upload's algorithm; present when the upload has one. */
          checksum: s.optional(s.string(128)),
        }),
        10_000,
      ),
      checksums: s.record(s.string(128), 8),
      checksumType: s.optional(ChecksumTypeSchema),
      /** What the client says the object's size is. */
      sizeBytes: s.optional(s.integer()),
      conditions: WriteConditionsSchema,
      bucketRevision: s.bigint,
    }),
    s.object({
      outcome: s.oneOf(
        'completed',
        'no-upload',
        'invalid-part',
        'invalid-part-order',
        'part-too-small',
        'size-mismatch',
        'precondition-failed',
        'no-such-key',
        'no-bucket',
        'bucket-changed',
        'late',
      ),
      etag: s.optional(s.string(128)),
      checksums: s.optional(s.record(s.string(128), 8)),
      checksumType: s.optional(ChecksumTypeSchema),
      versionId: s.optional(s.hex(16)),
      isNull: s.optional(s.boolean),
      lastModifiedMs: s.optional(s.integer()),
    }),
  ),
  abortUpload: write(s.object(uploadRef), s.object({ outcome: s.oneOf('aborted', 'no-upload') })),

  clusterMap: read(s.object({}), ClusterMapSchema),
  /** For replication: the live part that `writeId` names and the set it should be copied to. `gone` when no record names it. */
  findWrite: read(
    s.object({ bucketId: s.bigint, writeId: s.hex(16) }),
    s.object({
      found: s.boolean,
      bucketName: s.optional(bucketName),
      profile: s.optional(RedundancyProfileSchema),
      chunks: s.optional(s.bytes),
      primarySetId: s.optional(s.integer(1, 65_535)),
    }),
  ),
  /** Keeps the first copy: `kept` false means that this copy's units are to be freed. Removes the intent. */
  confirmReplica: write(
    s.object({
      intentId: s.bigint,
      bucketId: s.bigint,
      writeId: s.hex(16),
      copies: s.bytes,
      attemptAgeMs: s.integer(),
    }),
    s.object({ outcome: s.oneOf('kept', 'already', 'gone', 'late') }),
  ),
  confirmIntent: write(s.object({ intentId: s.bigint }), s.nothing),
  /**
   * For the collector: the packed chunk list of each write that a live record (version, part of an open upload) names, absent
   * where none does; with the database's identity, read in the same snapshot.
   */
  liveWrites: read(
    s.object({ writes: s.array(s.object({ bucketId: s.bigint, writeId: s.hex(16) }), 1000) }),
    s.object({
      database: DatabaseIdentitySchema,
      live: s.array(s.object({ writeId: s.hex(16), chunks: s.bytes }), 1000),
    }),
  ),
  databaseIdentity: read(s.object({}), DatabaseIdentitySchema),
  /** Counts for status and metrics. */
  /** What the versions of these buckets hold; a bucket that holds nothing may be left out. */
  bucketUsage: read(
    s.object({ bucketIds: s.array(s.bigint, 1000) }),
    s.object({ usage: s.array(s.object({ bucketId: s.bigint, objects: s.integer(), bytes: s.integer() }), 1000) }),
  ),
  /** The same of all buckets of an account together. */
  accountUsage: read(
    s.object({ accountId: s.string(64) }),
    s.object({ buckets: s.integer(), objects: s.integer(), bytes: s.integer() }),
  ),
  status: read(
    s.object({}),
    s.object({
      epoch: s.bigint,
      buckets: s.integer(),
      objects: s.integer(),
      bytes: s.integer(),
      /** Rows owed by kind. */
      outbox: s.record(s.integer(), 8),
      oldestReplicateMs: s.integer(),
    }),
  ),
});

export type MetadataMethods = PortOf<typeof metadataService.methods>;
type Args<K extends keyof MetadataMethods> = Parameters<MetadataMethods[K]>;
type Answer<K extends keyof MetadataMethods> = ReturnType<MetadataMethods[K]>;

/** The metadata port: see `metadataService` for each method's shape and errors. */
export abstract class Metadata implements MetadataMethods {
  abstract createBucket(...args: Args<'createBucket'>): Answer<'createBucket'>;
  abstract findBucket(...args: Args<'findBucket'>): Answer<'findBucket'>;
  abstract deleteBucket(...args: Args<'deleteBucket'>): Answer<'deleteBucket'>;
  abstract listBuckets(...args: Args<'listBuckets'>): Answer<'listBuckets'>;
  abstract setVersioning(...args: Args<'setVersioning'>): Answer<'setVersioning'>;
  abstract bucketConfiguration(...args: Args<'bucketConfiguration'>): Answer<'bucketConfiguration'>;
  abstract putBucketConfiguration(...args: Args<'putBucketConfiguration'>): Answer<'putBucketConfiguration'>;
  abstract commitObject(...args: Args<'commitObject'>): Answer<'commitObject'>;
  abstract findObject(...args: Args<'findObject'>): Answer<'findObject'>;
  abstract readParts(...args: Args<'readParts'>): Answer<'readParts'>;
  abstract listVersionParts(...args: Args<'listVersionParts'>): Answer<'listVersionParts'>;
  abstract deleteObjects(...args: Args<'deleteObjects'>): Answer<'deleteObjects'>;
  abstract setObjectTags(...args: Args<'setObjectTags'>): Answer<'setObjectTags'>;
  abstract listObjects(...args: Args<'listObjects'>): Answer<'listObjects'>;
  abstract listVersions(...args: Args<'listVersions'>): Answer<'listVersions'>;
  abstract createUpload(...args: Args<'createUpload'>): Answer<'createUpload'>;
  abstract listUploads(...args: Args<'listUploads'>): Answer<'listUploads'>;
  abstract findUpload(...args: Args<'findUpload'>): Answer<'findUpload'>;
  abstract commitPart(...args: Args<'commitPart'>): Answer<'commitPart'>;
  abstract listParts(...args: Args<'listParts'>): Answer<'listParts'>;
  abstract completeUpload(...args: Args<'completeUpload'>): Answer<'completeUpload'>;
  abstract abortUpload(...args: Args<'abortUpload'>): Answer<'abortUpload'>;
  abstract clusterMap(...args: Args<'clusterMap'>): Answer<'clusterMap'>;
  abstract findWrite(...args: Args<'findWrite'>): Answer<'findWrite'>;
  abstract confirmReplica(...args: Args<'confirmReplica'>): Answer<'confirmReplica'>;
  abstract confirmIntent(...args: Args<'confirmIntent'>): Answer<'confirmIntent'>;
  abstract liveWrites(...args: Args<'liveWrites'>): Answer<'liveWrites'>;
  abstract databaseIdentity(...args: Args<'databaseIdentity'>): Answer<'databaseIdentity'>;
  abstract bucketUsage(...args: Args<'bucketUsage'>): Answer<'bucketUsage'>;
  abstract accountUsage(...args: Args<'accountUsage'>): Answer<'accountUsage'>;
  abstract status(...args: Args<'status'>): Answer<'status'>;
}
