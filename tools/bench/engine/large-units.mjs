// Large units beside the same writes and reads of a raw file, in the way that suits a disk best: past the page cache, from
// memory that is used again, so many at once; a write is answered when a flush that began after it has ended, and one flush
// serves all who wait. Both write to space that was written before, and read what no cache holds: the first round is not
// counted, and its units are freed. Of 64 KiB units the raw file goes through the page cache, as the engine does with them.
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fdatasync, openSync, read, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pageMemory } from '@holdfast/stdx';
import { ExtentStore } from '@holdfast/extent-store';
import { KIB, MIB, median, newChunkId, newDevice, rate, writeUnit } from './measure.mjs';

const IN_FLIGHT = 8;
const [writeAt, readAt, flush] = [promisify(write), promisify(read), promisify(fdatasync)];

/** A call that comes while a flush is under way waits for the next one, with all others that came. */
function sharedFlush(file) {
  let running = Promise.resolve();
  let next;
  return () => {
    next ??= running.then(() => {
      next = undefined;
      running = flush(file);
      return running;
    });
    return next;
  };
}

/** Buffers that begin at a page, as many as are in flight, filled with random bytes. */
function memoryFor(sizeBytes) {
  const idle = Array.from({ length: IN_FLIGHT }, () => {
    const bytes = Buffer.from(pageMemory(sizeBytes).buffer, 0, sizeBytes);
    randomBytes(sizeBytes).copy(bytes);
    return bytes;
  });
  return async (work) => {
    const bytes = idle.pop();
    try {
      await work(bytes);
    } finally {
      idle.push(bytes);
    }
  };
}

function rawFile({ path, sizeBytes, flags }) {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT | flags, 0o600);
  const flushed = sharedFlush(file);
  const withMemory = memoryFor(sizeBytes);
  return {
    write: (turn) =>
      withMemory(async (bytes) => {
        const { bytesWritten } = await writeAt(file, bytes, 0, sizeBytes, turn * sizeBytes);
        if (bytesWritten !== sizeBytes) throw new Error('the raw file took only a part');
        await flushed();
      }),
    read: (turn) =>
      withMemory(async (bytes) => {
        const { bytesRead } = await readAt(file, bytes, 0, sizeBytes, turn * sizeBytes);
        if (bytesRead !== sizeBytes) throw new Error('the raw file ended early');
      }),
    endRound: async () => undefined,
    close: async () => closeSync(file),
  };
}

async function engine({ folder, units, sizeBytes }) {
  // In memory that begins at a page, as the object writer holds its chunks.
  const bytes = Buffer.from(pageMemory(sizeBytes).buffer, 0, sizeBytes);
  randomBytes(sizeBytes).copy(bytes);
  const store = await ExtentStore.open(
    await newDevice(folder, Math.ceil((units * sizeBytes * 1.25) / MIB + 256) * MIB),
  );
  let ids = [];
  let round = 0;
  return {
    write: (turn) => writeUnit(store, (ids[turn] = newChunkId(Date.now())), bytes),
    read: async (turn) => {
      const unit = await store.read(ids[turn], 0);
      if (unit?.bytes.length !== sizeBytes) throw new Error('a unit is not whole');
      unit.release();
    },
    endRound: async () => {
      round += 1;
      const authority = { clusterId: store.superblock.clusterId, generation: 1, sequence: BigInt(round) };
      await store.free(
        ids.map((chunkId) => ({ chunkId, unitIndex: 0 })),
        authority,
      );
      ids = [];
      await store.checkpoint();
    },
    close: () => store.close(),
  };
}

async function unitsOf({ folder, sizeBytes, units, rounds, flags, log, signal }) {
  const name = sizeBytes < MIB ? `${sizeBytes / KIB} KiB` : `${sizeBytes / MIB} MiB`;
  const contenders = {
    'raw file': rawFile({ path: join(folder, `raw-${sizeBytes}`), sizeBytes, flags }),
    'unit of the engine': await engine({ folder, units, sizeBytes }),
  };
  const found = { write: {}, read: {} };
  try {
    for (let round = 0; round <= rounds; round += 1) {
      for (const step of ['write', 'read'])
        for (const [what, contender] of Object.entries(contenders)) {
          const more = (begun) => begun < units;
          const result = await rate({ inFlight: IN_FLIGHT, more, work: contender[step], signal });
          signal.throwIfAborted();
          if (round > 0) (found[step][what] ??= []).push(result);
        }
      for (const contender of Object.values(contenders)) await contender.endRound();
    }
  } finally {
    for (const contender of Object.values(contenders)) await contender.close();
  }
  return Object.entries(found).flatMap(([step, byName]) =>
    Object.entries(byName).map(([what, results]) => {
      const { perSecond, cpuUs } = median(results);
      log(`${name} ${step}, ${what}: ${perSecond.toFixed(0)}/s, ${cpuUs.toFixed(0)} us`);
      const isYardstick = what === 'raw file';
      const note = isYardstick ? 'no checksums' : 'every byte summed and verified';
      const megabytes = (perSecond * sizeBytes) / 1e6;
      return { work: `${step} ${name}, ${IN_FLIGHT} in flight`, what, perSecond, cpuUs, megabytes, note, isYardstick };
    }),
  );
}

export async function largeUnits({ folder, mebibytes, rounds, log, signal }) {
  const common = { folder, rounds, log, signal };
  const large = { sizeBytes: MIB, units: mebibytes, flags: constants.O_DIRECT };
  const medium = { sizeBytes: 64 * KIB, units: mebibytes * 4, flags: 0 };
  return [...(await unitsOf({ ...common, ...large })), ...(await unitsOf({ ...common, ...medium }))];
}
