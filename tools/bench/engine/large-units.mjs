// Units of 1 MiB, 8 in flight, beside the same writes and reads of a raw file, where one flush serves all who wait for it. Both
// write to space that was written before: the first round is not counted, and its units are freed.
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasync, openSync, read, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ExtentStore } from '@holdfast/extent-store';
import { MIB, median, newChunkId, newDevice, rate, writeUnit } from './measure.mjs';

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

export async function largeUnits({ folder, units, rounds, log, signal }) {
  const bytes = randomBytes(MIB);
  const store = await ExtentStore.open(await newDevice(folder, Math.ceil(units * 1.25 + 256) * MIB));
  const file = openSync(join(folder, 'raw'), 'w+');
  const flushed = sharedFlush(file);
  const more = (begun) => begun < units;
  const found = { 'raw file': { write: [], read: [] }, 'unit of the engine': { write: [], read: [] } };
  try {
    for (let round = 0; round <= rounds; round += 1) {
      const ids = Array.from({ length: units }, (_, index) => newChunkId(Date.now() + index));
      const works = {
        'raw file': {
          write: async (turn) => {
            await writeAt(file, bytes, 0, MIB, turn * MIB);
            await flushed();
          },
          read: async (turn) => {
            const { bytesRead } = await readAt(file, Buffer.allocUnsafeSlow(MIB), 0, MIB, turn * MIB);
            if (bytesRead !== MIB) throw new Error('the raw file ended early');
          },
        },
        'unit of the engine': {
          write: (turn) => writeUnit(store, ids[turn], bytes),
          read: async (turn) => {
            const unit = await store.read(ids[turn], 0);
            if (unit?.bytes.length !== MIB) throw new Error('a unit is not whole');
          },
        },
      };
      for (const step of ['write', 'read'])
        for (const [what, work] of Object.entries(works)) {
          const result = await rate({ inFlight: IN_FLIGHT, more, work: work[step], signal });
          signal.throwIfAborted();
          if (round > 0) found[what][step].push(result);
        }
      await store.free(
        ids.map((chunkId) => ({ chunkId, unitIndex: 0 })),
        { clusterId: store.superblock.clusterId, generation: 1, sequence: BigInt(round + 1) },
      );
      await store.checkpoint();
    }
  } finally {
    await store.close();
    closeSync(file);
  }
  return ['write', 'read'].flatMap((step) =>
    Object.entries(found).map(([what, results]) => {
      const { perSecond, cpuUs } = median(results[step]);
      log(`1 MiB ${step}, ${what}: ${perSecond.toFixed(0)}/s`);
      const note = what === 'raw file' ? 'no checksums' : 'every byte summed and verified';
      const megabytes = (perSecond * MIB) / 1e6;
      return {
        work: `${step} 1 MiB, ${IN_FLIGHT} in flight`,
        what,
        perSecond,
        cpuUs,
        megabytes,
        note,
        isYardstick: what === 'raw file',
      };
    }),
  );
}
