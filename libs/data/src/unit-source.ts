import type { DevicePlace, LentUnit, UnitHeader, UnitLayout, UnitReadCall, UnitStore } from '@holdfast/contracts';
import { storedUnitSize } from '@holdfast/erasure';
import { log } from '@holdfast/service-host';
import type { ClusterMapCache } from './cluster-map-cache.js';
import type { DeviceHealth } from './device-health.js';
import type { SlowReadWatch } from './slow-read-watch.js';

export interface UnitSourceParts {
  readonly units: UnitStore;
  readonly maps: ClusterMapCache;
  readonly health: DeviceHealth;
  readonly slowReads: SlowReadWatch;
}

/** One chunk as its record has it: what every unit's own header is held against. */
export interface RecordedChunk {
  readonly layout: UnitLayout;
  readonly sizeBytes: number;
}

/** The units of one chunk on the devices of its set. */
export class UnitSource {
  constructor(
    private readonly parts: UnitSourceParts,
    private readonly call: UnitReadCall,
    readonly chunk: RecordedChunk,
  ) {}

  /** Where the unit lies by the newest map known; undefined when the map has no such place. */
  place(unitIndex: number): DevicePlace | undefined {
    const { setId, slots } = this.chunk.layout;
    return this.parts.maps.view?.place(setId, slots[unitIndex]);
  }

  /** False: ask for other units first. */
  isPromising(unitIndex: number): boolean {
    const place = this.place(unitIndex);
    return place !== undefined && place.live && this.parts.health.mayRead(place);
  }

  /**
   * Verified bytes of a unit that is what the record says, lent. Undefined for one that is absent, damaged, of another chunk or out
   * of reach: its reason is logged, and the reader turns to other units. Never rejects.
   */
  async read(unitIndex: number, offset: number, length: number): Promise<LentUnit | undefined> {
    const place = this.place(unitIndex);
    if (place === undefined) return this.missing(unitIndex, undefined, 'the map has no such device');
    const { chunkId } = this.chunk.layout;
    try {
      const found = await this.parts.units.read(this.call, place, { chunkId, unitIndex }, offset, length);
      if (found === undefined) return this.missing(unitIndex, place, 'absent');
      const isRecorded = this.isRecorded(found.header, unitIndex);
      if (isRecorded && found.bytes.length === length) return found;
      found.release();
      return this.missing(unitIndex, place, isRecorded ? 'fewer bytes than recorded' : 'another unit than recorded');
    } catch (error) {
      this.parts.health.noteFailure(place, error);
      return this.missing(unitIndex, place, 'failed', error);
    }
  }

  get slowReads(): SlowReadWatch {
    return this.parts.slowReads;
  }

  private isRecorded(header: UnitHeader, unitIndex: number): boolean {
    const { layout, sizeBytes } = this.chunk;
    return (
      header.chunkId === layout.chunkId &&
      header.unitIndex === unitIndex &&
      header.k === layout.k &&
      header.m === layout.m &&
      header.chunkSizeBytes === sizeBytes &&
      header.unitSizeBytes === storedUnitSize(sizeBytes, layout.k, unitIndex)
    );
  }

  private missing(unitIndex: number, place: DevicePlace | undefined, reason: string, error?: unknown): undefined {
    const { chunkId, setId, slots } = this.chunk.layout;
    const facts = {
      requestId: this.call.requestId,
      chunkId,
      unit: unitIndex,
      set: setId,
      slot: slots[unitIndex],
      reason,
    };
    log.warn('a unit cannot be used', { ...facts, device: place?.deviceId, node: place?.nodeId, error });
    return undefined;
  }
}
