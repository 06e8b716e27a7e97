import type { BucketRecord } from '@holdfast/contracts';

const REMEMBERED_MAX = 1000;

/**
 * When the buckets that this process has made were answered for. A request for the same name that had arrived before is
 * concurrent with the one that made it; one that arrived later found the bucket there. Of a bucket that another process has
 * made only the time in its record is known, which lies a little before its answer.
 */
export class BucketCreations {
  private readonly answeredAtMs = new Map<string, number>();

  constructor(private readonly nowMs: () => number = Date.now) {}

  judge(
    made: { readonly outcome: 'created' | 'exists'; readonly bucket: BucketRecord },
    arrivedAtMs: number | undefined,
  ): 'created' | 'exists' | 'in-progress' {
    const { name, createdAtMs } = made.bucket;
    if (made.outcome === 'created') {
      if (this.answeredAtMs.size >= REMEMBERED_MAX) this.answeredAtMs.clear();
      this.answeredAtMs.set(name, this.nowMs());
      return 'created';
    }
    const knownAtMs = Math.max(createdAtMs, this.answeredAtMs.get(name) ?? 0);
    return arrivedAtMs !== undefined && arrivedAtMs < knownAtMs ? 'in-progress' : 'exists';
  }
}
