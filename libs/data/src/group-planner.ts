import type { DevicePlace, RedundancyProfile } from '@holdfast/contracts';
import {
  layoutFor,
  permuteSlots,
  smallObjectProfile,
  type ChunkLayout,
  type PlacementDevice,
} from '@holdfast/placement';
import type { SetView } from './cluster-view.js';
import type { DeviceHealth } from './device-health.js';

export interface GroupPlan {
  readonly set: SetView;
  readonly layout: ChunkLayout;
}

interface Candidates {
  readonly version: number;
  readonly devices: PlacementDevice[];
}

/** Proposes where the units of a chunk go: by the map, without the devices that this process knows to be in trouble. */
export class GroupPlanner {
  private readonly candidates = new WeakMap<SetView, Candidates>();

  constructor(private readonly health: DeviceHealth) {}

  /**
   * The first set of `sets` that can take the group, by the profile or the first smaller one that fits. A device of `avoid`
   * (by id) has failed this chunk before. Undefined when no set can.
   */
  plan(
    chunkId: string,
    profile: Pick<RedundancyProfile, 'k' | 'm'>,
    sets: readonly SetView[],
    avoid?: ReadonlySet<string>,
  ): GroupPlan | undefined {
    for (const set of sets) {
      const layout = layoutFor(chunkId, profile, this.devicesOf(set, avoid));
      if (layout !== undefined) return { set, layout };
    }
    return undefined;
  }

  /** Writable devices of the set that are not in `used` (slots), in the chunk's order of preference. */
  spares(chunkId: string, set: SetView, used: ReadonlySet<number>, avoid: ReadonlySet<string>): DevicePlace[] {
    const usable = this.devicesOf(set, avoid).filter(
      (device) => device.live && device.writable && !used.has(device.slot),
    );
    return permuteSlots(chunkId, usable)
      .map((slot) => set.place(slot))
      .filter((place) => place !== undefined);
  }

  private devicesOf(set: SetView, avoid?: ReadonlySet<string>): PlacementDevice[] {
    if (avoid !== undefined && avoid.size > 0)
      return set.places.map((place) => this.device(place, !avoid.has(place.deviceId)));
    const known = this.candidates.get(set);
    if (known !== undefined && known.version === this.health.version) return known.devices;
    const devices = set.places.map((place) => this.device(place, true));
    this.candidates.set(set, { version: this.health.version, devices });
    return devices;
  }

  private device(place: DevicePlace, allowed: boolean): PlacementDevice {
    const { slot, nodeId, controllerId, live } = place;
    return { slot, nodeId, controllerId, live, writable: allowed && this.health.mayWrite(place) };
  }
}

/** The profile that a chunk of this size asks for: small ones are kept as copies. */
export function profileFor(
  sizeBytes: number,
  profile: RedundancyProfile,
  smallBytesMax: number,
): Pick<RedundancyProfile, 'k' | 'm'> {
  return sizeBytes <= smallBytesMax ? smallObjectProfile(profile) : profile;
}
