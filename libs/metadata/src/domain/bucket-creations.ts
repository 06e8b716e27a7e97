import type { BucketRecord } from '@holdfast/contracts';

const REMEMBERED_MAX = 1000;
/**
 * Two clients that begin at the same moment are heard some time apart: threads wait for each other, sockets connect. So long
 * after the answer a request of another connection is taken for one that was sent before it. Not longer: programs make a
 * bucket with one client and ask for it with the next.
 */
const OVERLAP_MS = 10;

/** When the request for a bucket arrived (wall time), and over which connection; undefined where that is not known. */
export interface CreationRequest {
  readonly arrivedAtMs?: number;
  readonly connection?: string;
}

interface Creation {
  readonly answeredAtMs: number;
  readonly revision: bigint;
  /** Over which an answer about the bucket went out: who asks again there has seen it. */
  readonly told: Set<string>;
}

/**
 * When the buckets that this process has made were answered for, and to whom. A request for the same name that had arrived
 * before is concurrent with the one that made it, and so may be one that arrived a little later, unless it came over a
 * connection with an answer about the bucket, or the bucket was changed since: then it was sent when the answer was known. Of a bucket that another process has made only the time in
 * its record is known, which lies a little before its answer.
 */
export class BucketCreations {
  private readonly creations = new Map<string, Creation>();

  constructor(private readonly nowMs: () => number = Date.now) {}

  judge(
    made: { readonly outcome: 'created' | 'exists'; readonly bucket: BucketRecord },
    { arrivedAtMs, connection = '' }: CreationRequest,
  ): 'created' | 'exists' | 'in-progress' {
    const { name, createdAtMs, revision } = made.bucket;
    if (made.outcome === 'created') {
      if (this.creations.size >= REMEMBERED_MAX) this.creations.clear();
      this.creations.set(name, { answeredAtMs: this.nowMs(), revision, told: new Set([connection]) });
      return 'created';
    }
    if (arrivedAtMs === undefined) return 'exists';
    const creation = this.creations.get(name);
    if (creation !== undefined && revision !== creation.revision) return 'exists';
    if (connection !== '' && creation?.told.has(connection) === true) return 'exists';
    const knownAtMs = Math.max(createdAtMs, creation?.answeredAtMs ?? 0);
    if (arrivedAtMs >= knownAtMs + OVERLAP_MS) return 'exists';
    creation?.told.add(connection);
    return 'in-progress';
  }
}
