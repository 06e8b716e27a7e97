import type { ListObjects, ObjectList } from '@holdfast/contracts';
import { listStart } from '../domain/key-order.js';
import { isStorableText } from '../domain/write-conditions.js';
import type { MetadataDatabase } from './database.js';

type Page = Omit<ObjectList, 'bucket'>;
const EMPTY: Page = { entries: [], truncated: false, probes: 0 };

/** Pages of keys and common prefixes: see schema/list-functions. */
export class ObjectListRepository {
  constructor(private readonly database: MetadataDatabase) {}

  async page(bucketId: bigint, query: ListObjects): Promise<Page> {
    const from = listStart(query);
    if (query.limit === 0 || from === undefined || !isStorableText(query.prefix)) return EMPTY;
    // No key holds U+0000, so nothing is cut by such a delimiter.
    const delimiter = isStorableText(query.delimiter) ? query.delimiter : '';
    const rows = await this.database.read('reads', {
      name: 'list_objects',
      text:
        'SELECT is_prefix, key, size_bytes, etag, last_modified_ms, storage_class, checksum_algorithms, probes ' +
        'FROM metadata.list_objects($1, $2, $3, $4, $5)',
      values: [bucketId, query.prefix, delimiter, from, query.limit],
    });
    const entries = rows.slice(0, query.limit).map((row): ObjectList['entries'][number] => {
      const [isPrefix, key, sizeBytes, etag, lastModifiedMs, storageClass, algorithms] = row;
      if (isPrefix === true) return { kind: 'prefix', prefix: key as string };
      return {
        kind: 'object',
        object: {
          key: key as string,
          sizeBytes: Number(sizeBytes),
          etag: etag as string,
          lastModifiedMs: Number(lastModifiedMs),
          storageClass: storageClass as string,
          checksumAlgorithms: algorithms === '' ? [] : (algorithms as string).split(','),
        },
      };
    });
    const probes = rows.length === 0 ? 1 : (rows[rows.length - 1][7] as number);
    return { entries, truncated: rows.length > query.limit, probes };
  }
}
