/** What the specs and proofs of the store share: ids, units and a small simulated device. */
import { createHash } from 'node:crypto';
import { Deadline, KIB, type Clock } from '@holdfast/stdx';
import { SimulatedDevice, SimulatedDevicePort, type SimulatedDeviceOptions } from '../device/simulated-device.js';
import { ExtentStore } from '../extent-store.js';
import { layoutOf } from '../format/device-layout.js';
import type { UnitHeader } from '../unit-header.js';

export const CLUSTER_ID = '00000000-0000-4000-8000-00000000c1c1';
export const DEVICE_ID = '00000000-0000-4000-8000-00000000dede';
export const CAPACITY_BYTES = 1536 * KIB;
export const SEGMENT_BYTES = 64 * KIB;
export const PAGE_COUNT = 176;
export const LAYOUT = layoutOf({
  capacityBytes: CAPACITY_BYTES,
  segmentBytes: SEGMENT_BYTES,
  pageCount: PAGE_COUNT,
  isPair: false,
});
const FORMAT = {
  deviceId: DEVICE_ID,
  clusterId: CLUSTER_ID,
  generation: 3,
  capacityBytes: CAPACITY_BYTES,
  segmentBytes: SEGMENT_BYTES,
  pageCount: PAGE_COUNT,
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

const digests = new Map<string, string>();

function digestOf(text: string): string {
  const digest = digests.get(text) ?? createHash('md5').update(text).digest('hex');
  digests.set(text, digest);
  return digest;
}

export function headerOf(number: number, sizeBytes: number, change: Partial<UnitHeader> = {}): UnitHeader {
  return {
    chunkId: digestOf(`chunk ${number}`),
    unitIndex: number % 3,
    k: 2,
    m: 1,
    chunkSizeBytes: 2 * sizeBytes,
    unitSizeBytes: sizeBytes,
    bucketId: BigInt(number % 7),
    writeId: digestOf(`write ${number}`),
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

export function put(store: ExtentStore, number: number, sizeBytes: number): ReturnType<ExtentStore['write']> {
  return store.write(headerOf(number, sizeBytes), sizeBytes, pullOf(bytesOf(number, sizeBytes)), soon());
}

export const authority = (sequence: bigint, generation = 1) => ({ clusterId: CLUSTER_ID, generation, sequence });

export const unitOf = (number: number) => ({ chunkId: headerOf(number, 0).chunkId, unitIndex: number % 3 });

/** Simulated devices run without timers: a turn is over when all promises that can settle have. */
const turn = async (): Promise<void> => {
  for (let step = 0; step < 4; step += 1) await Promise.resolve();
};

const blank = new Map<string, Buffer>();

/** The image of a formatted device without units. */
export async function formattedImage(deviceId = DEVICE_ID): Promise<Buffer> {
  const known = blank.get(deviceId);
  if (known !== undefined) return known;
  const device = new SimulatedDevice(Buffer.alloc(CAPACITY_BYTES));
  await ExtentStore.format('sim', { ...FORMAT, deviceId, io: new SimulatedDevicePort({ sim: device }) });
  blank.set(deviceId, device.image);
  return device.image;
}

export interface OpenImageOptions extends SimulatedDeviceOptions {
  readonly clock?: Clock;
  readonly recentUnitBytes?: number;
  /** Between two groups, and before something is tried again. */
  readonly storeTurn?: () => Promise<void>;
}

export async function openImage(image: Buffer, options: OpenImageOptions = {}) {
  const device = new SimulatedDevice(image, options);
  const io = new SimulatedDevicePort({ sim: device });
  const { clock, recentUnitBytes, storeTurn = turn } = options;
  const store = await ExtentStore.open('sim', {
    io,
    clock,
    recentUnitBytes,
    cacheBytes: 0,
    turn: storeTurn,
    pause: storeTurn,
  });
  return { device, store };
}

const blankPair = new Map<string, { meta: Buffer; data: Buffer }>();

/** The images of a formatted pair of files without units. */
export async function formattedPair(deviceId = DEVICE_ID): Promise<{ meta: Buffer; data: Buffer }> {
  const known = blankPair.get(deviceId);
  if (known !== undefined) return known;
  const meta = new SimulatedDevice(Buffer.alloc(16 * KIB + 2 * SEGMENT_BYTES + PAGE_COUNT * 4 * KIB));
  const data = new SimulatedDevice(Buffer.alloc(CAPACITY_BYTES));
  const io = new SimulatedDevicePort({ meta, data });
  await ExtentStore.format('data', { ...FORMAT, deviceId, metadataPath: 'meta', io });
  const images = { meta: meta.image, data: data.image };
  blankPair.set(deviceId, images);
  return images;
}

export async function openPair(images: { meta: Buffer; data: Buffer }, options: OpenImageOptions = {}) {
  const meta = new SimulatedDevice(images.meta, { ...options, name: 'meta' });
  const data = new SimulatedDevice(images.data, { ...options, name: 'data' });
  const io = new SimulatedDevicePort({ meta, data });
  const store = await ExtentStore.open('data', {
    io,
    metadataPath: 'meta',
    clock: options.clock,
    cacheBytes: 0,
    turn,
    pause: turn,
  });
  return { meta, data, store };
}
