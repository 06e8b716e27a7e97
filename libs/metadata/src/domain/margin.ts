import { devicesOfSet, type ChunkEntry, type ClusterMap } from '@holdfast/contracts';
import { errorBudget } from '@holdfast/placement';

/** What the map's changes since a write have left of it. */
export type Margin = 'whole' | 'degraded' | 'lost';

/**
 * Judges units that were written under `written` by the map of today. A unit is gone when its device no longer is live, or when
 * its slot was given another device since. A chunk without margin makes the whole write lost.
 */
export function judgeMargin(chunks: readonly ChunkEntry[], written: ClusterMap, today: ClusterMap): Margin {
  const before = liveDevices(written);
  const now = liveDevices(today);
  let margin: Margin = 'whole';
  for (const { primary } of chunks) {
    let goneCount = 0;
    for (const slot of primary.slots) {
      const place = `${primary.setId}/${slot}`;
      const device = now.get(place);
      if (device === undefined || device !== before.get(place)) goneCount += 1;
    }
    if (!errorBudget(primary.m, goneCount)) return 'lost';
    if (goneCount > 0) margin = 'degraded';
  }
  return margin;
}

/** Set and slot to device and generation. */
function liveDevices(map: ClusterMap): Map<string, string> {
  const devices = new Map<string, string>();
  for (const set of map.sets) {
    for (const device of devicesOfSet(set)) {
      if (device.live) devices.set(`${set.setId}/${device.slot}`, `${device.deviceId}/${device.generation}`);
    }
  }
  return devices;
}
