import { newId, NULL_VERSION, type BucketRecord, type ObjectVersion } from '@holdfast/contracts';

type Versioning = BucketRecord['versioning'];

/** The versions of one bucket, each key's newest first. `V` is what the owner keeps of a version. */
export class InMemoryVersions<V extends ObjectVersion> {
  private readonly keys = new Map<string, V[]>();

  get isEmpty(): boolean {
    return this.keys.size === 0;
  }

  /** Every version: keys in byte order, newest first. */
  *all(): Generator<V, void, undefined> {
    const names = [...this.keys.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const name of names) yield* this.keys.get(name) ?? [];
  }

  /** The newest of each key that is no delete marker. */
  current(): V[] {
    return [...this.all()].filter((version) => this.newest(version.key) === version && !version.isDeleteMarker);
  }

  newest(key: string): V | undefined {
    return this.keys.get(key)?.[0];
  }

  /** The newest, unless it is a delete marker: what conditions judge. */
  currentOf(key: string): V | undefined {
    const version = this.newest(key);
    return version?.isDeleteMarker === true ? undefined : version;
  }

  /** By id, by `null`, or the newest. */
  find(key: string, versionId: string | undefined): V | undefined {
    if (versionId === undefined) return this.newest(key);
    return this.keys.get(key)?.find((version) => {
      return versionId === NULL_VERSION ? version.isNull : !version.isNull && version.versionId === versionId;
    });
  }

  /** On top of its key; a null version takes the place of the one before. */
  add(version: V): void {
    const others = (this.keys.get(version.key) ?? []).filter((other) => !(version.isNull && other.isNull));
    this.keys.set(version.key, [version, ...others]);
  }

  replace(version: V): void {
    const held = this.keys.get(version.key) ?? [];
    this.keys.set(
      version.key,
      held.map((other) => (other.versionId === version.versionId ? version : other)),
    );
  }

  remove(version: V): void {
    const rest = (this.keys.get(version.key) ?? []).filter((other) => other !== version);
    if (rest.length === 0) this.keys.delete(version.key);
    else this.keys.set(version.key, rest);
  }

  /** As S3 deletes a key: the null version goes, or a marker made by `marker` is laid on top, or both. */
  deleteKey(
    key: string,
    versioning: Versioning,
    marker: (versionId: string, isNull: boolean) => V,
  ): { versionId: string; isNull: boolean } | undefined {
    if (versioning === 'unversioned') {
      const held = this.find(key, NULL_VERSION);
      if (held !== undefined) this.remove(held);
      return undefined;
    }
    const made = { versionId: newId(), isNull: versioning === 'suspended' };
    this.add(marker(made.versionId, made.isNull));
    return made;
  }
}
