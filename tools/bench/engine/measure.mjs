// What the parts of the benchmark share: a device in a folder, units, and rates with processor time.
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ExtentStore } from '@holdfast/extent-store';
import { Deadline } from '@holdfast/stdx';

export const KIB = 1024;
export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;

/** Formats a device in the folder; resolves to its path. */
export async function newDevice(folder, capacityBytes) {
  const path = join(folder, `device-${randomUUID()}`);
  await ExtentStore.format(path, { deviceId: randomUUID(), clusterId: randomUUID(), generation: 1, capacityBytes });
  return path;
}

/** Drawn once: to draw for each write would cost a good part of what is measured. */
const RANDOM_HEX = randomBytes(32 * KIB).toString('hex');
let drawn = 0;

/** Ids begin with the time, as those of the data service do. */
export function newChunkId(at) {
  drawn = (drawn + 7) % (RANDOM_HEX.length - 20);
  return at.toString(16).padStart(12, '0') + RANDOM_HEX.substring(drawn, drawn + 20);
}

export function writeUnit(store, chunkId, bytes) {
  const sizes = { chunkSizeBytes: bytes.length, unitSizeBytes: bytes.length };
  const header = {
    chunkId,
    unitIndex: 0,
    k: 1,
    m: 0,
    ...sizes,
    bucketId: 1n,
    writeId: chunkId,
    writtenAtMs: Date.now(),
  };
  const pull = async function* () {
    yield bytes;
  };
  return store.write(header, bytes.length, pull, Deadline.in(60_000));
}

/** Runs `work(turn)` with so many in flight until `more(done, elapsedMs)` is false: rate and processor time of each. */
export async function rate({ inFlight, more, work, signal }) {
  const startedMs = performance.now();
  const usedBefore = process.cpuUsage();
  let begun = 0;
  let done = 0;
  const worker = async () => {
    while (signal?.aborted !== true && more(begun, performance.now() - startedMs)) {
      await work(begun++);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(usedBefore);
  return { perSecond: done / seconds, cpuUs: (user + system) / done, done };
}

/** The measurement with the median rate. */
export function median(measurements) {
  return [...measurements].sort((a, b) => a.perSecond - b.perSecond)[measurements.length >> 1];
}
