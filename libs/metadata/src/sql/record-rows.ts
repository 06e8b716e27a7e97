import type { BucketRecord, ObjectAttributes, ObjectVersion } from '@holdfast/contracts';
import type { Row } from './database.js';

/** Columns of a bucket, in the order that `bucketFromRow` reads. `alias` is the table's name in the query. */
export const bucketColumns = (alias: string): string =>
  'bucket_id,name,account_id,created_at_ms,home_set_id,profile_k,profile_m,profile_secondary,versioning,revision,configurations,location'
    .split(',')
    .map((column) => `${alias}.${column}`)
    .join(', ');
export const BUCKET_COLUMN_COUNT = 12;

/** Undefined when the row has no bucket (an outer join that found none). */
export function bucketFromRow(row: Row, at = 0): BucketRecord | undefined {
  if (row[at] === null) return undefined;
  return {
    bucketId: BigInt(row[at] as string),
    name: row[at + 1] as string,
    accountId: row[at + 2] as string,
    createdAtMs: Number(row[at + 3]),
    homeSetId: row[at + 4] as number,
    profile: { k: row[at + 5] as number, m: row[at + 6] as number, secondary: row[at + 7] as boolean },
    versioning: row[at + 8] as BucketRecord['versioning'],
    revision: BigInt(row[at + 9] as string),
    configurations: row[at + 10] === '' ? [] : ((row[at + 10] as string).split(',') as BucketRecord['configurations']),
    ...(row[at + 11] === null ? {} : { location: row[at + 11] as string }),
  };
}

export const VERSION_COLUMNS =
  'v.version_id, v.is_null, v.is_delete_marker, v.sequence, v.revision, v.size_bytes, v.etag, v.last_modified_ms, ' +
  'v.attributes, v.write_id, v.chunks, v.part_sizes, v.replication, v.tags';

export function versionFromRow(bucketId: bigint, key: string, row: Row, at: number): ObjectVersion | undefined {
  if (row[at] === null) return undefined;
  const writeId = row[at + 9] as Buffer | null;
  const chunks = row[at + 10] as Buffer | null;
  const partSizes = row[at + 11] as string[] | null;
  const tags = row[at + 13] as ObjectVersion['tags'] | null;
  return {
    bucketId,
    key,
    versionId: (row[at] as Buffer).toString('hex'),
    isNull: row[at + 1] as boolean,
    isDeleteMarker: row[at + 2] as boolean,
    sequence: BigInt(row[at + 3] as string),
    revision: BigInt(row[at + 4] as string),
    sizeBytes: Number(row[at + 5]),
    etag: row[at + 6] as string,
    lastModifiedMs: Number(row[at + 7]),
    attributes: row[at + 8] as ObjectAttributes,
    ...(writeId === null ? {} : { writeId: writeId.toString('hex') }),
    ...(chunks === null ? {} : { chunks }),
    ...(partSizes === null ? {} : { partSizes: partSizes.map(Number) }),
    replication: row[at + 12] as ObjectVersion['replication'],
    ...(tags === null ? {} : { tags }),
  };
}

/** The column of a version's tags: null when there are none. */
export function tagsText(tags: ObjectVersion['tags']): string | null {
  return tags === undefined || Object.keys(tags).length === 0 ? null : JSON.stringify(tags);
}
