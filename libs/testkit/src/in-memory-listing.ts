import type { ListVersions, ObjectVersion } from '@holdfast/contracts';

type Named = Pick<ObjectVersion, 'key' | 'versionId' | 'isNull'>;

/** One page of what is sorted already: versions, and common prefixes as texts. */
export function pageOf<V extends Named>(
  sorted: readonly V[],
  page: Omit<ListVersions, 'bucketName'>,
): { entries: (V | string)[]; truncated: boolean } {
  const { prefix, delimiter, afterPrefix, limit } = page;
  const entries: (V | string)[] = [];
  let lastPrefix: string | undefined;
  for (const version of afterMarker(sorted, page)) {
    const { key } = version;
    if (!key.startsWith(prefix) || (lastPrefix !== undefined && key.startsWith(lastPrefix))) continue;
    if (afterPrefix !== undefined && (key.startsWith(afterPrefix) || compareBytes(key, afterPrefix) <= 0)) continue;
    if (entries.length === limit) return { entries, truncated: true };
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    lastPrefix = at < 0 ? undefined : key.slice(0, at + delimiter.length);
    entries.push(lastPrefix ?? version);
  }
  return { entries, truncated: false };
}

function afterMarker<V extends Named>(
  sorted: readonly V[],
  { afterKey, afterVersionId }: { afterKey?: string; afterVersionId?: string },
): readonly V[] {
  if (afterKey === undefined) return sorted;
  if (afterVersionId === undefined) return sorted.filter(({ key }) => compareBytes(key, afterKey) > 0);
  const at = sorted.findIndex(({ key, versionId, isNull }) => {
    return key === afterKey && (afterVersionId === 'null' ? isNull : !isNull && versionId === afterVersionId);
  });
  return at >= 0 ? sorted.slice(at + 1) : sorted.filter(({ key }) => compareBytes(key, afterKey) >= 0);
}

export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
