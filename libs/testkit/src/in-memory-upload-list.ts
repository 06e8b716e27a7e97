import type { ListedUpload, UploadPage, ListUploads } from '@holdfast/contracts';
import { compareBytes } from './in-memory-listing.js';

/** One page of a bucket's open uploads, given in any order. */
export function uploadPageOf(uploads: readonly ListedUpload[], query: ListUploads): UploadPage {
  const { prefix, delimiter, limit } = query;
  const sorted = uploads.toSorted((a, b) => compareBytes(a.key, b.key) || compareBytes(a.uploadId, b.uploadId));
  const entries: UploadPage['entries'] = [];
  let lastPrefix: string | undefined;
  for (const upload of sorted) {
    const { key } = upload;
    if (!key.startsWith(prefix) || (lastPrefix !== undefined && key.startsWith(lastPrefix))) continue;
    if (!isAfter(upload, query)) continue;
    if (entries.length === limit) return { entries, truncated: limit > 0, probes: entries.length + 1 };
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    if (at < 0) entries.push({ kind: 'upload', upload });
    else {
      lastPrefix = key.slice(0, at + delimiter.length);
      entries.push({ kind: 'prefix', prefix: lastPrefix });
    }
  }
  return { entries, truncated: false, probes: entries.length + 1 };
}

function isAfter({ key, uploadId }: ListedUpload, { afterKey, afterUploadId, afterPrefix }: ListUploads): boolean {
  if (afterPrefix !== undefined && (key.startsWith(afterPrefix) || compareBytes(key, afterPrefix) <= 0)) return false;
  if (afterKey === undefined) return true;
  const order = compareBytes(key, afterKey);
  return order > 0 || (order === 0 && afterUploadId !== undefined && compareBytes(uploadId, afterUploadId) > 0);
}
