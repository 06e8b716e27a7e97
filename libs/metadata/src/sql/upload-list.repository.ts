import type { MetadataMethods, UploadChecksum, UploadPage, ListUploads, VersionPart } from '@holdfast/contracts';
import { listStart } from '../domain/key-order.js';
import { isStorableText } from '../domain/write-conditions.js';
import type { MetadataDatabase } from './database.js';

type Input<K extends keyof MetadataMethods> = Parameters<MetadataMethods[K]>[1];
type Output<K extends keyof MetadataMethods> = Awaited<ReturnType<MetadataMethods[K]>>;

const EMPTY: UploadPage = { entries: [], truncated: false, probes: 0 };

/** Pages of open uploads (see schema/list-functions) and of the parts of versions. */
export class UploadListRepository {
  constructor(private readonly database: MetadataDatabase) {}

  async page(query: ListUploads): Promise<UploadPage> {
    const start = uploadListStart(query);
    if (query.limit === 0 || start === undefined || !isStorableText(query.prefix)) return EMPTY;
    const delimiter = isStorableText(query.delimiter) ? query.delimiter : '';
    const rows = await this.database.read('reads', {
      name: 'list_uploads',
      text:
        'SELECT is_prefix, key, upload_id, initiator_arn, storage_class, checksum, created_at_ms, probes ' +
        'FROM metadata.list_uploads($1, $2, $3, $4, $5, $6)',
      values: [query.bucketId, query.prefix, delimiter, start.key, start.uploadId, query.limit],
    });
    const entries = rows.slice(0, query.limit).map((row): UploadPage['entries'][number] => {
      const [isPrefix, key, uploadId, initiatorArn, storageClass, checksum, createdAtMs] = row;
      if (isPrefix === true) return { kind: 'prefix', prefix: key as string };
      return {
        kind: 'upload',
        upload: {
          key: key as string,
          uploadId: (uploadId as Buffer).toString('hex'),
          initiatorArn: initiatorArn as string,
          storageClass: storageClass as string,
          ...(checksum === null ? {} : { checksum: checksum as UploadChecksum }),
          createdAtMs: Number(createdAtMs),
        },
      };
    });
    const probes = rows.length === 0 ? 1 : (rows[rows.length - 1][7] as number);
    return { entries, truncated: rows.length > query.limit, probes };
  }

  async versionParts(input: Input<'listVersionParts'>): Promise<Output<'listVersionParts'>> {
    const rows = await this.database.read('reads', {
      name: 'list_version_parts',
      text: `SELECT p.ordinal, p.part_number, p.size_bytes, p.checksums FROM metadata.part p
        WHERE p.bucket_id = $1 AND p.owner_id = $2 AND p.part_number > $3 ORDER BY p.ordinal LIMIT $4`,
      values: [input.bucketId, Buffer.from(input.versionId, 'hex'), input.afterPart, input.limit + 1],
    });
    const parts = rows.slice(0, input.limit).map(([place, partNumber, sizeBytes, checksums]): VersionPart => ({
      place: place as number,
      partNumber: partNumber as number,
      sizeBytes: Number(sizeBytes),
      checksums: checksums as Record<string, string>,
    }));
    return { parts, truncated: input.limit > 0 && rows.length > input.limit };
  }
}

/** Uploads strictly after this place in the order (key, upload id). */
function uploadListStart(query: ListUploads): { key: string; uploadId: Buffer } | undefined {
  const { afterKey, afterUploadId, afterPrefix } = query;
  if (afterKey !== undefined && afterUploadId !== undefined && isStorableText(afterKey)) {
    return { key: afterKey, uploadId: Buffer.from(afterUploadId, 'hex') };
  }
  const key = listStart({ afterKey, afterPrefix });
  return key === undefined ? undefined : { key, uploadId: Buffer.alloc(0) };
}
