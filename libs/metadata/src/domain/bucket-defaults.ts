import {
  devicesOfSet,
  HoldfastError,
  type ClusterMap,
  type RedundancyProfile,
  type StorageSetEntry,
} from '@holdfast/contracts';
import { chooseProfile, homeSet } from '@holdfast/placement';

/** Takes new data: not draining, not failed, and a device of it is live. */
export function acceptsWrites(set: StorageSetEntry): boolean {
  return set.state === 'active' && devicesOfSet(set).some((device) => device.live);
}

export function countAcceptingSets(sets: readonly StorageSetEntry[]): number {
  return sets.filter(acceptsWrites).length;
}

/** Where a new bucket lives and how its objects are kept. Errors: ServiceUnavailable when no set takes data. */
export function bucketDefaults(name: string, map: ClusterMap): { homeSetId: number; profile: RedundancyProfile } {
  const homeSetId = homeSet(
    name,
    map.sets.map((set) => ({ id: set.setId, weight: set.weight, accepting: acceptsWrites(set) })),
  );
  const set = map.sets.find((candidate) => candidate.setId === homeSetId);
  if (homeSetId === undefined || set === undefined) {
    throw new HoldfastError('ServiceUnavailable', 'No storage set accepts writes.');
  }
  return { homeSetId, profile: { ...chooseProfile(devicesOfSet(set).length), secondary: map.sets.length >= 2 } };
}
