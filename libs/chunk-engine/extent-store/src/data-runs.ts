/** Plans which bytes go where in the data area, and which of them can go in one write. Pure. */
import { BLOCK_BYTES, MIB, assert } from '@holdfast/stdx';
import { positionOf, type DeviceLayout, type Extent } from './device-layout.js';

const ZEROS = Buffer.alloc(BLOCK_BYTES);
const RUN_MAX_BYTES = 8 * MIB;

/** Buffers that go one after the other from a position of the device. */
export interface DataRun {
  readonly position: number;
  readonly buffers: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/** A run that several owners share. */
export interface SharedRun<Owner> extends DataRun {
  readonly owners: readonly Owner[];
}

/**
 * The bytes of a unit over its extents. The last block is filled with zeros: writing whole blocks spares the kernel
 * reading the old ones.
 */
export function runsOf(layout: DeviceLayout, extents: readonly Extent[], bytes: readonly Uint8Array[]): DataRun[] {
  const queue = [...bytes];
  return extents.map((extent) => {
    const sizeBytes = extent.blocks * BLOCK_BYTES;
    return { position: positionOf(layout, extent.start), buffers: takeBytes(queue, sizeBytes), sizeBytes };
  });
}

/** The first `sizeBytes` of the queue, which loses them; zeros at its end, less than a block. */
function takeBytes(queue: Uint8Array[], sizeBytes: number): Uint8Array[] {
  const taken: Uint8Array[] = [];
  let missing = sizeBytes;
  while (missing > 0 && queue.length > 0) {
    const next = queue[0];
    if (next.length > missing) {
      taken.push(next.subarray(0, missing));
      queue[0] = next.subarray(missing);
      missing = 0;
    } else {
      if (next.length > 0) taken.push(next);
      missing -= next.length;
      queue.shift();
    }
  }
  assert(missing < BLOCK_BYTES, 'Extents are no larger than their unit', { missing });
  if (missing > 0) taken.push(ZEROS.subarray(0, missing));
  return taken;
}

/** Joins runs that touch, up to 8 MiB, in order of position. */
export function joinRuns<Owner>(parts: readonly { run: DataRun; owner: Owner }[]): SharedRun<Owner>[] {
  const sorted = [...parts].sort((a, b) => a.run.position - b.run.position);
  const joined: { position: number; buffers: Uint8Array[]; sizeBytes: number; owners: Owner[] }[] = [];
  for (const { run, owner } of sorted) {
    const last = joined.at(-1);
    if (last && last.position + last.sizeBytes === run.position && last.sizeBytes + run.sizeBytes <= RUN_MAX_BYTES) {
      last.buffers.push(...run.buffers);
      last.sizeBytes += run.sizeBytes;
      last.owners.push(owner);
    } else {
      joined.push({ position: run.position, buffers: [...run.buffers], sizeBytes: run.sizeBytes, owners: [owner] });
    }
  }
  return joined;
}
