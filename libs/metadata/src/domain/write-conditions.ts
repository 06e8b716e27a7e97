import { HoldfastError, LIMITS, type WriteConditions } from '@holdfast/contracts';

/** Conditions as the SQL functions take them: etags joined by line feeds, `*` alone when it is among them, null for none. */
export function conditionLists(conditions: Pick<WriteConditions, 'ifMatch' | 'ifNoneMatch'>): {
  ifMatch: string | null;
  ifNoneMatch: string | null;
} {
  return { ifMatch: joined(conditions.ifMatch), ifNoneMatch: joined(conditions.ifNoneMatch) };
}

function joined(etags: readonly string[] | undefined): string | null {
  if (etags === undefined || etags.length === 0) return null;
  return etags.includes('*') ? '*' : etags.join('\n');
}

/** A key that Postgres cannot hold would fail the whole batch it travels in. Errors: InvalidURI, KeyTooLongError. */
export function assertStorableKey(key: string): void {
  if (!isStorableText(key)) throw new HoldfastError('InvalidURI');
  if (key.length * 3 > LIMITS.keyBytesMax && Buffer.byteLength(key) > LIMITS.keyBytesMax) {
    throw new HoldfastError('KeyTooLongError');
  }
}

/** Tags are kept as JSON, whose text Postgres checks when it is read. Errors: InvalidArgument. */
export function assertStorableTags(tags: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(tags)) {
    if (!isStorableText(key) || !isStorableText(value)) throw new HoldfastError('InvalidArgument');
  }
}

/** Postgres text holds neither U+0000 nor half a surrogate pair. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
