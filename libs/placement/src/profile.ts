import { assert } from '@holdfast/stdx';

/** Redundancy inside one set: k data units and m parity units per parity group; k = 1 means m + 1 copies. */
export interface RedundancyProfile {
  readonly k: number;
  readonly m: number;
}

/**
 * Failed units that must stay affordable when a write is acknowledged. 1 is seed 0's rule (`failed < m`: one more device
 * may be lost); 0 allows `failed <= m`.
 */
export type DurabilityMargin = 0 | 1;

/** Most units in one parity group (the unit index is a byte and the Cauchy matrix is kept small). */
export const GROUP_UNITS_MAX = 32;

const LADDER: readonly RedundancyProfile[] = [
  { k: 4, m: 2 },
  { k: 2, m: 2 },
  { k: 2, m: 1 },
  { k: 1, m: 1 },
];

/** The default profile of a set with this many devices. */
export function chooseProfile(deviceCount: number): RedundancyProfile {
  assert(Number.isInteger(deviceCount) && deviceCount >= 1, 'A set has at least one device', { deviceCount });
  if (deviceCount >= 6) return { k: 4, m: 2 };
  if (deviceCount >= 4) return { k: 2, m: 2 };
  if (deviceCount === 3) return { k: 2, m: 1 };
  if (deviceCount === 2) return { k: 1, m: 1 };
  return { k: 1, m: 0 };
}

/**
 * The profiles to fall back to when the profile itself cannot be laid out, best first, each needing at most `liveCount`
 * devices. Where the profile has parity every fallback has parity too, so nothing is acknowledged without margin.
 */
export function smallerProfiles(profile: RedundancyProfile, liveCount: number): RedundancyProfile[] {
  assertProfile(profile);
  return ladderBelow(profile).filter((candidate) => candidate.k + candidate.m <= liveCount);
}

function ladderBelow({ k, m }: RedundancyProfile): RedundancyProfile[] {
  const below: RedundancyProfile[] = [];
  if (m === 0) {
    for (let fewer = k >> 1; fewer >= 1; fewer >>= 1) below.push({ k: fewer, m: 0 });
    return below;
  }
  if (k === 1) {
    for (let fewer = m - 1; fewer >= 1; fewer -= 1) below.push({ k: 1, m: fewer });
    return below;
  }
  return LADDER.filter((step) => step.k <= k && step.m <= m && step.k + step.m < k + m);
}

/** Small objects are kept as copies that survive as many losses as the profile does. */
export function smallObjectProfile(profile: RedundancyProfile): RedundancyProfile {
  assertProfile(profile);
  return { k: 1, m: profile.m };
}

/**
 * Seed 0's rule for one parity group: may the group be acknowledged with `failedCount` of its units missing?
 * A group without parity has no margin to keep and accepts only no failure at all.
 */
export function errorBudget(m: number, failedCount: number, margin: DurabilityMargin = 1): boolean {
  assert(Number.isInteger(m) && m >= 0, 'Parity is a whole number', { m });
  assert(Number.isInteger(failedCount) && failedCount >= 0, 'Failures are counted', { failedCount });
  if (m === 0) return failedCount === 0;
  return margin === 0 ? failedCount <= m : failedCount < m || failedCount === 0;
}

export function assertProfile({ k, m }: RedundancyProfile): void {
  assert(Number.isInteger(k) && k >= 1, 'A profile has at least one data unit', { k, m });
  assert(Number.isInteger(m) && m >= 0 && k + m <= GROUP_UNITS_MAX, 'A profile has at most 32 units', { k, m });
}
