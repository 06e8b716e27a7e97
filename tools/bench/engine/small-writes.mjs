// Durable writes of 4 KiB: units of the engine, a log that flushes for all who wait at once, and writes flushed one by one.
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasync, fdatasyncSync, openSync, write, writeSync, writev } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ExtentStore } from '@holdfast/extent-store';
import { KIB, MIB, median, newChunkId, newDevice, rate, writeUnit } from './measure.mjs';

const YARDSTICK = 'bare group-flushed log';
const LEVELS = [1, 32, 128];
const FILE_BYTES = 256 * MIB;
/** More than a machine of today can write in the time. */
const UNITS_PER_SECOND_MAX = 80_000;
const WARM_UP_SECONDS = 0.3;
const [writeAt, writeManyAt, flush] = [promisify(write), promisify(writev), promisify(fdatasync)];

/** Nothing is freed meanwhile; a quarter is for log, pages and reserve. */
function deviceBytesFor(seconds, rounds) {
  const units = LEVELS.length * (WARM_UP_SECONDS + rounds * seconds) * UNITS_PER_SECOND_MAX;
  return Math.ceil((units * 4 * KIB * 1.25) / MIB) * MIB;
}

/** A file whose blocks are all written: a write to it changes nothing of the file system. */
function writtenFile(path) {
  const file = openSync(path, 'w+');
  const zeros = Buffer.alloc(MIB);
  for (let at = 0; at < FILE_BYTES; at += zeros.length) writeSync(file, zeros, 0, zeros.length, at);
  fdatasyncSync(file);
  return file;
}

/** Each write is followed by a flush of its own. */
function rawWriter(file, bytes) {
  return async (turn) => {
    await writeAt(file, bytes, 0, bytes.length, (turn * bytes.length) % FILE_BYTES);
    await flush(file);
  };
}

/** All that came while the last group was flushed are written together, and flushed once. Nothing else: no checksum, no index. */
function bareLog(file, bytes) {
  let waiting = [];
  let running = false;
  let at = 0;
  const run = async () => {
    running = true;
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      if (at + group.length * bytes.length > FILE_BYTES) at = 0;
      try {
        await writeManyAt(file, Array(group.length).fill(bytes), at);
        at += group.length * bytes.length;
        await flush(file);
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    running = false;
  };
  return () =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      if (!running) queueMicrotask(() => running || void run());
    });
}

export async function smallWriters({ folder, seconds, rounds, log, signal }) {
  const bytes = randomBytes(4 * KIB);
  const device = await newDevice(folder, deviceBytesFor(seconds, rounds));
  const store = await ExtentStore.open(device);
  const [rawFile, logFile] = [writtenFile(join(folder, 'raw')), writtenFile(join(folder, 'log'))];
  let unit = Date.now();
  const contenders = {
    'raw flushed writes': rawWriter(rawFile, bytes),
    [YARDSTICK]: bareLog(logFile, bytes),
    'unit of the engine': () => writeUnit(store, newChunkId(unit++), bytes),
  };
  const measured = [];
  try {
    for (const inFlight of LEVELS) {
      const found = new Map(Object.keys(contenders).map((name) => [name, []]));
      // The first round warms up.
      for (let round = 0; round <= rounds; round += 1) {
        for (const [name, work] of Object.entries(contenders)) {
          const more = (_begun, elapsedMs) => elapsedMs < 1000 * (round === 0 ? WARM_UP_SECONDS : seconds);
          const result = await rate({ inFlight, more, work, signal });
          signal.throwIfAborted();
          if (round > 0) found.get(name).push(result);
        }
      }
      for (const [what, results] of found) {
        const { perSecond, cpuUs } = median(results);
        log(`4 KiB, ${inFlight} in flight, ${what}: ${perSecond.toFixed(0)}/s, ${cpuUs.toFixed(1)} us`);
        measured.push({
          work: `write 4 KiB, ${inFlight} in flight`,
          what,
          perSecond,
          cpuUs,
          isYardstick: what === YARDSTICK,
        });
      }
    }
  } finally {
    await store.close();
    closeSync(rawFile);
    closeSync(logFile);
  }
  return measured;
}
