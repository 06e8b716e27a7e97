/** What the specs of the store share: ids, units and a small simulated device. */
import { createHash } from 'node:crypto';
import { Deadline, KIB, type Clock } from '@holdfast/stdx';
import { ExtentStore } from './extent-store.js';
import type { PreparedSpaceOptions } from './prepared-space.js';
import { SimulatedDevice, SimulatedDevicePort, type FaultPlan } from './simulated-device.js';
import type { UnitHeader } from './unit-header.js';

export const CLUSTER_ID = '00000000-0000-4000-8000-00000000c1c1';
export const CAPACITY_BYTES = 768 * KIB;
export const LOG_HALF_BYTES = 64 * KIB;
const FORMAT = {
  deviceId: '00000000-0000-4000-8000-00000000dede',
  clusterId: CLUSTER_ID,
  generation: 3,
  capacityBytes: CAPACITY_BYTES,
  logHalfBytes: LOG_HALF_BYTES,
};

const made = new Map<string, Buffer>();

/** Bytes that differ from unit to unit and from block to block; not to be changed. */
export function bytesOf(number: number, sizeBytes: number): Buffer {
  const name = `${number}/${sizeBytes}`;
  const bytes = made.get(name) ?? makeBytes(number, sizeBytes);
  made.set(name, bytes);
  return bytes;
}

function makeBytes(number: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = number * 2_654_435_761 + 1;
  for (let index = 0; index < sizeBytes; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

export function headerOf(number: number, sizeBytes: number, change: Partial<UnitHeader> = {}): UnitHeader {
  return {
    chunkId: createHash('md5').update(`chunk ${number}`).digest('hex'),
    unitIndex: number % 3,
    k: 2,
    m: 1,
    chunkSizeBytes: 2 * sizeBytes,
    unitSizeBytes: sizeBytes,
    bucketId: BigInt(number % 7),
    writeId: createHash('md5').update(`write ${number}`).digest('hex'),
    writtenAtMs: 1_700_000_000_000 + number,
    ...change,
  };
}

/** Yields the bytes in pieces of uneven sizes. */
export function pullOf(bytes: Buffer, pieceBytes = 5000): () => AsyncIterable<Buffer> {
  return async function* () {
    for (let from = 0; from < bytes.length; from += pieceBytes) yield bytes.subarray(from, from + pieceBytes);
  };
}

export const soon = (): Deadline => Deadline.in(60_000);

export function put(store: ExtentStore, number: number, sizeBytes: number): Promise<'written' | 'unchanged'> {
  return store.write(headerOf(number, sizeBytes), sizeBytes, pullOf(bytesOf(number, sizeBytes)), soon());
}

export const authority = (sequence: bigint, generation = 1) => ({ clusterId: CLUSTER_ID, generation, sequence });

let blank: Buffer | undefined;

/** The image of a formatted device without units. */
export async function formattedImage(): Promise<Buffer> {
  if (blank === undefined) {
    const device = new SimulatedDevice(Buffer.alloc(CAPACITY_BYTES));
    await ExtentStore.format('sim', { ...FORMAT, io: new SimulatedDevicePort(device) });
    blank = device.image;
  }
  return blank;
}

export async function openImage(image: Buffer, fault?: FaultPlan, clock?: Clock, prepared?: PreparedSpaceOptions) {
  const device = new SimulatedDevice(image, fault);
  const store = await ExtentStore.open('sim', { io: new SimulatedDevicePort(device), clock, prepared });
  return { device, store };
}
