import { s, type Infer } from './schema.js';

const key = s.string(1024);

/** `COMPOSITE`: the checksum of the parts' checksums. */
export const ChecksumTypeSchema = s.oneOf('FULL_OBJECT', 'COMPOSITE');
export type ChecksumType = Infer<typeof ChecksumTypeSchema>;

/** What the parts of an upload are checked by, and what becomes of it at its end. `algorithm` in lower case. */
export const UploadChecksumSchema = s.object({ algorithm: s.string(16), type: ChecksumTypeSchema });
export type UploadChecksum = Infer<typeof UploadChecksumSchema>;

export const PartInfoSchema = s.object({
  partNumber: s.integer(1, 10_000),
  sizeBytes: s.integer(),
  etag: s.string(128),
  lastModifiedMs: s.integer(),
  checksums: s.record(s.string(128), 8),
});
export type PartInfo = Infer<typeof PartInfoSchema>;

/** A part of a version. `place` is its index in partSizes: parts keep the numbers they were uploaded under. */
export const VersionPartSchema = s.object({
  place: s.integer(0, 9999),
  partNumber: s.integer(1, 10_000),
  sizeBytes: s.integer(),
  checksums: s.record(s.string(128), 8),
});
export type VersionPart = Infer<typeof VersionPartSchema>;

export const ListedUploadSchema = s.object({
  key,
  uploadId: s.hex(16),
  initiatorArn: s.string(512),
  storageClass: s.string(32),
  checksum: s.optional(UploadChecksumSchema),
  createdAtMs: s.integer(),
});
export type ListedUpload = Infer<typeof ListedUploadSchema>;

export const ListUploadsSchema = s.object({
  bucketId: s.bigint,
  prefix: key,
  /** Empty: none. */
  delimiter: key,
  /** Strictly after all uploads of this key, or after `afterUploadId` among them … */
  afterKey: s.optional(key),
  afterUploadId: s.optional(s.hex(16)),
  /** … or after every key that begins with this common prefix. */
  afterPrefix: s.optional(key),
  limit: s.integer(0, 1000),
});
export type ListUploads = Infer<typeof ListUploadsSchema>;

export const UploadPageSchema = s.object({
  /** By key in unsigned byte order of UTF-8, uploads of one key by id, which is the order of their creation. */
  entries: s.array(
    s.union('kind', {
      upload: s.object({ kind: s.oneOf('upload'), upload: ListedUploadSchema }),
      prefix: s.object({ kind: s.oneOf('prefix'), prefix: key }),
    }),
    1000,
  ),
  truncated: s.boolean,
  /** Index probes made, as in a listing of objects. */
  probes: s.integer(),
});
export type UploadPage = Infer<typeof UploadPageSchema>;
