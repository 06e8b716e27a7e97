import { isId, NULL_VERSION, type ListVersions, type VersionList } from '@holdfast/contracts';
import { listStart } from '../domain/key-order.js';
import { isStorableText } from '../domain/write-conditions.js';
import type { MetadataDatabase, Row } from './database.js';

type Page = Omit<VersionList, 'bucket'>;
const EMPTY: Page = { entries: [], truncated: false, probes: 0 };

/** Pages of versions and common prefixes: see schema/list-functions. */
export class VersionListRepository {
  constructor(private readonly database: MetadataDatabase) {}

  async page(bucketId: bigint, query: ListVersions): Promise<Page> {
    const { prefix, limit } = query;
    const from = listStart(query);
    if (limit === 0 || from === undefined || !isStorableText(prefix)) return EMPTY;
    // No key holds U+0000, so nothing is cut by such a delimiter.
    const delimiter = isStorableText(query.delimiter) ? query.delimiter : '';
    const rest = restOfKey(query, delimiter);
    const rows = await this.database.read('reads', {
      name: 'list_versions',
      text:
        'SELECT is_prefix, key, version_id, is_null, is_latest, is_delete_marker, size_bytes, etag, last_modified_ms, ' +
        'storage_class, checksum_algorithms, probes FROM metadata.list_versions($1, $2, $3, $4, $5, $6, $7)',
      values: [bucketId, prefix, delimiter, from, rest?.key ?? null, rest?.versionId ?? null, limit],
    });
    const probes = rows.length === 0 ? 1 : (rows[rows.length - 1][11] as number);
    return { entries: rows.slice(0, limit).map(entryFromRow), truncated: rows.length > limit, probes };
  }
}

/** The key whose older versions come first; undefined when the page begins with another key, or with a common prefix. */
function restOfKey(query: ListVersions, delimiter: string): { key: string; versionId: string } | undefined {
  const { prefix, afterKey, afterVersionId } = query;
  if (afterKey === undefined || afterVersionId === undefined || !isStorableText(afterKey)) return undefined;
  if (afterVersionId !== NULL_VERSION && !isId(afterVersionId)) return undefined;
  if (!afterKey.startsWith(prefix) || (delimiter !== '' && afterKey.includes(delimiter, prefix.length)))
    return undefined;
  return { key: afterKey, versionId: afterVersionId };
}

function entryFromRow(row: Row): VersionList['entries'][number] {
  const [isPrefix, key, versionId, isNull, isLatest, isDeleteMarker, sizeBytes, etag, lastModifiedMs] = row;
  if (isPrefix === true) return { kind: 'prefix', prefix: key as string };
  const algorithms = row[10] as string;
  return {
    kind: 'version',
    version: {
      key: key as string,
      versionId: (versionId as Buffer).toString('hex'),
      isNull: isNull as boolean,
      isLatest: isLatest as boolean,
      isDeleteMarker: isDeleteMarker as boolean,
      sizeBytes: Number(sizeBytes),
      etag: etag as string,
      lastModifiedMs: Number(lastModifiedMs),
      storageClass: row[9] as string,
      checksumAlgorithms: algorithms === '' ? [] : algorithms.split(','),
    },
  };
}
