import { isId, NULL_VERSION, type BucketRecord, type ObjectVersion } from '@holdfast/contracts';
import { isStorableText } from '../domain/write-conditions.js';
import { textArray } from './array-literal.js';
import { Batcher } from './batcher.js';
import { isUndone, type BatchLine, type MetadataDatabase, type Row } from './database.js';
import { BUCKET_COLUMN_COUNT, bucketColumns, bucketFromRow, VERSION_COLUMNS, versionFromRow } from './record-rows.js';

const BATCH_MAX = 128;
const LINES: readonly BatchLine[] = ['lookups-1', 'lookups-2'];

/** The newest version is the current one: nothing but the versions' own index is asked. */
const LOOKUP_SQL = `SELECT r.item, ${bucketColumns('b')}, ${VERSION_COLUMNS}
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r(name, key, item)
  JOIN metadata.bucket b ON b.name = r.name
  LEFT JOIN LATERAL (
    SELECT * FROM metadata.object_version o WHERE o.bucket_id = b.bucket_id AND o.key = r.key
    ORDER BY o.sequence DESC LIMIT 1) v ON true`;

const VERSION_SQL = (condition: string): string => `SELECT 1, ${bucketColumns('b')}, ${VERSION_COLUMNS}
  FROM metadata.bucket b LEFT JOIN LATERAL (
    SELECT * FROM metadata.object_version o WHERE o.bucket_id = b.bucket_id AND o.key = $2 AND ${condition}
    ORDER BY o.sequence DESC LIMIT 1) v ON true
  WHERE b.name = $1`;

interface Lookup {
  readonly bucketName: string;
  /** Absent: the bucket alone. */
  readonly key?: string;
}

export interface FoundObject {
  readonly bucket?: BucketRecord;
  readonly version?: ObjectVersion;
}

/** Lookups by bucket name and key: bucket and version in one query, shared with the lookups that wait with it. No cache. */
export class ReadBatcher {
  private readonly batcher: Batcher<Lookup, FoundObject>;
  private readonly freeLines = [...LINES];

  constructor(private readonly database: MetadataDatabase) {
    this.batcher = new Batcher({ sizeMax: BATCH_MAX, lanes: LINES.length }, (lookups) => this.send(lookups));
  }

  /** Names and keys that no record can have are found nowhere. Errors: those of the driver. */
  async find(bucketName: string, key?: string): Promise<FoundObject> {
    if (!isStorableText(bucketName)) return {};
    return this.batcher.submit({ bucketName, ...(key === undefined || !isStorableText(key) ? {} : { key }) });
  }

  async findVersion(bucketName: string, key: string, versionId: string): Promise<FoundObject> {
    const isNull = versionId === NULL_VERSION;
    if (!isStorableText(bucketName) || !isStorableText(key) || !(isNull || isId(versionId)))
      return this.find(bucketName);
    const rows = await this.database.read('reads', {
      name: isNull ? 'find_null_version' : 'find_version',
      text: VERSION_SQL(isNull ? 'o.is_null' : "NOT o.is_null AND o.version_id = decode($3, 'hex')"),
      values: isNull ? [bucketName, key] : [bucketName, key, versionId],
    });
    return rows.length === 0 ? {} : foundFromRow(rows[0], key);
  }

  private async send(lookups: readonly Lookup[]): Promise<FoundObject[]> {
    const line = this.freeLines.pop() as BatchLine;
    try {
      const rows = await this.ask(line, lookups);
      const found: FoundObject[] = lookups.map(() => ({}));
      for (const row of rows) {
        const place = Number(row[0]) - 1;
        found[place] = foundFromRow(row, lookups[place].key ?? '');
      }
      return found;
    } finally {
      this.freeLines.push(line);
    }
  }

  /** A lookup changes nothing: asked once more when the connection was broken. */
  private async ask(line: BatchLine, lookups: readonly Lookup[]): Promise<Row[]> {
    const statement = {
      name: 'lookup',
      text: LOOKUP_SQL,
      values: [textArray(lookups, (lookup) => lookup.bucketName), textArray(lookups, (lookup) => lookup.key)],
    };
    try {
      return await this.database.onLine(line, statement);
    } catch (error) {
      if (isUndone(error)) throw error;
      return this.database.onLine(line, statement);
    }
  }
}

function foundFromRow(row: Row, key: string): FoundObject {
  const bucket = bucketFromRow(row, 1);
  if (bucket === undefined) return {};
  const version = versionFromRow(bucket.bucketId, key, row, 1 + BUCKET_COLUMN_COUNT);
  return version === undefined ? { bucket } : { bucket, version };
}
