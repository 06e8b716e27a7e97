/** Weighted rendezvous hashing of buckets over storage sets: adding a set moves only what the new set wins. */
import { createHash } from 'node:crypto';
import { assert } from '@holdfast/stdx';

export interface PlacementSet<Id extends string | number = string> {
  readonly id: Id;
  /** Share of the buckets, relative to the other sets; bytes of capacity will do. 0 takes none. */
  readonly weight: number;
  /** Accepts writes: not full, draining or failed. */
  readonly accepting: boolean;
}

/** The set that holds the bucket's index and is first choice for its data; undefined when no set accepts writes. */
export function homeSet<Id extends string | number>(
  bucketName: string,
  sets: readonly PlacementSet<Id>[],
): Id | undefined {
  return bestSet(bucketName, sets);
}

/** The next set in the same order: the one that holds the replica. Undefined when no other set accepts writes. */
export function secondarySet<Id extends string | number>(
  bucketName: string,
  sets: readonly PlacementSet<Id>[],
  primaryId: Id,
): Id | undefined {
  return bestSet(
    bucketName,
    sets.filter((set) => set.id !== primaryId),
  );
}

function bestSet<Id extends string | number>(bucketName: string, sets: readonly PlacementSet<Id>[]): Id | undefined {
  let best: Id | undefined;
  let bestScore = 0;
  for (const set of sets) {
    assert(set.weight >= 0 && Number.isFinite(set.weight), 'A set has a weight', { set: set.id, weight: set.weight });
    if (!set.accepting || set.weight === 0) continue;
    const score = set.weight / -Math.log(unitInterval(bucketName, String(set.id)));
    if (score > bestScore) {
      best = set.id;
      bestScore = score;
    }
  }
  return best;
}

/** 52 bits of SHA-256 as a number strictly between 0 and 1. */
function unitInterval(bucketName: string, setId: string): number {
  const digest = createHash('sha256').update(`${bucketName}\0${setId}`).digest();
  return (digest.readUInt32BE(0) * 2 ** 20 + (digest.readUInt32BE(4) >>> 12) + 0.5) / 2 ** 52;
}
