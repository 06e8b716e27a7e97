import {
  HoldfastError,
  type CallContext,
  type ChunkEntry,
  type DevicePlace,
  type MetadataMethods,
  type UnitLayout,
  type UnitPosition,
  type UnitStore,
} from '@holdfast/contracts';
import type { ClusterMapCache } from './cluster-map-cache.js';

interface DeviceUnits {
  readonly place: DevicePlace;
  readonly units: UnitPosition[];
}

/** Frees the units of chunks that no record names, in the name of the database that says so. */
export class UnitRemover {
  constructor(
    private readonly units: UnitStore,
    private readonly maps: ClusterMapCache,
    private readonly metadata: Pick<MetadataMethods, 'databaseIdentity'>,
  ) {}

  /**
   * Frees all units of both copies of each chunk. A device that the map has given up is passed over: its bytes go with it.
   * Errors: ServiceUnavailable when another device could not be asked; the others have been.
   */
  async remove(call: CallContext, chunks: readonly ChunkEntry[]): Promise<void> {
    if (chunks.length === 0) return;
    const view = await this.maps.refresh(call);
    const database = await this.metadata.databaseIdentity(call, {});
    const devices = new Map<string, DeviceUnits>();
    const add = ({ chunkId, setId, slots }: UnitLayout): void => {
      slots.forEach((slot, unitIndex) => {
        const place = view.place(setId, slot);
        if (place === undefined || !place.live) return;
        const known = devices.get(place.deviceId) ?? { place, units: [] };
        devices.set(place.deviceId, known);
        known.units.push({ chunkId, unitIndex });
      });
    };
    for (const { primary, secondary } of chunks) {
      add(primary);
      if (secondary !== undefined) add(secondary);
    }
    const frees = [...devices.values()].map(({ place, units }) => this.units.free(call, place, units, database));
    const failed = (await Promise.allSettled(frees)).find((result) => result.status === 'rejected');
    if (failed !== undefined)
      throw new HoldfastError('ServiceUnavailable', 'some units could not be freed', {}, { cause: failed.reason });
  }
}
