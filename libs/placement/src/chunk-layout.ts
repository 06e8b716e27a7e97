import { smallerProfiles, assertProfile, type DurabilityMargin, type RedundancyProfile } from './profile.js';
import { permuteSlots, type PlacementDevice } from './slot-permutation.js';

/** What a chunk's entry records: unit i of the k + m lies on `slots[i]`. */
export interface ChunkLayout extends RedundancyProfile {
  readonly slots: readonly number[];
}

const takesUnits = (device: PlacementDevice): boolean => device.live && device.writable;

/**
 * Lays a parity group out over the devices that are live and writable: by the profile, or by the first smaller one that
 * fits. Undefined when not even the smallest fits; the caller answers 503 then.
 * With margin 0 a profile with parity may end as a single unit, which is what `failed <= m` allows in flight as well.
 * @param chunkId 32 hexadecimal digits; a further attempt at a layout takes a new id
 */
export function layoutFor(
  chunkId: string,
  profile: RedundancyProfile,
  devices: readonly PlacementDevice[],
  margin: DurabilityMargin = 1,
): ChunkLayout | undefined {
  assertProfile(profile);
  const usable = devices.every(takesUnits) ? devices : devices.filter(takesUnits);
  const fitting = profile.k + profile.m <= usable.length ? profile : smallerProfiles(profile, usable.length).at(0);
  const chosen = fitting ?? (margin === 0 && usable.length > 0 ? { k: 1, m: 0 } : undefined);
  if (chosen === undefined) return undefined;
  return { k: chosen.k, m: chosen.m, slots: permuteSlots(chunkId, usable).slice(0, chosen.k + chosen.m) };
}
