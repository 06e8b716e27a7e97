// One device of the chunk engine beside the file it lies in: durable writes of small units, large units, catalogues, and what a
// device with many units costs to open. Every figure of a table comes from one run; only the ratios mean something elsewhere.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { smallWriters } from './engine/small-writes.mjs';
import { largeUnits } from './engine/large-units.mjs';
import { catalogueWork } from './engine/catalogue-work.mjs';
import { openWithUnits } from './engine/open-device.mjs';

export const description =
  'one device: 4 KiB durable writes, 1 MiB units, catalogues, open; beside the raw file and a bare log (others by --peers)';

export const options = {
  dir: { type: 'string', hint: 'DIR: on the disk to measure (a temporary one); up to 3 GiB, with --size full 20 GiB' },
  only: { type: 'string', hint: 'TEXT: small, large, catalogue or open' },
  peers: {
    type: 'string',
    hint: 'COMMAND: prints lines of name, in flight, writes/s, us of processor time by tabs, of durable 4 KiB writes',
  },
};

/** Rows of a program that measures other stores (lmdb, for one) with the same work. */
function peerRows(command) {
  if (command === undefined) return [];
  const text = execFileSync('bash', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return text
    .split('\n')
    .map((line) => line.split('\t'))
    .filter((cells) => cells.length >= 4 && Number(cells[1]) > 0 && Number(cells[2]) > 0)
    .map(([name, inFlight, perSecond, cpuUs]) => ({
      work: `write 4 KiB, ${inFlight} in flight`,
      what: name,
      perSecond: Number(perSecond),
      cpuUs: Number(cpuUs),
    }));
}

/** One row each, with its rate as a share of that of the yardstick of the same work. */
function table(measured) {
  return measured.map(({ work, what, perSecond, cpuUs, megabytes, yardstick, note = '' }) => {
    const beside = measured.find((other) => other.work === work && other.isYardstick);
    const mine = yardstick ?? beside?.perSecond;
    return {
      work,
      what,
      'per second': perSecond === undefined ? '' : perSecond.toFixed(perSecond < 100 ? 1 : 0),
      'MB/s': megabytes === undefined ? '' : megabytes.toFixed(0),
      'processor us': cpuUs === undefined ? '' : cpuUs.toFixed(1),
      ratio: mine === undefined || perSecond === undefined ? '' : (perSecond / mine).toFixed(2),
      note,
    };
  });
}

export async function run({ size, seed, log, signal, options: { dir = tmpdir(), only, peers } }) {
  const full = size === 'full';
  const parts = {
    small: (folder) => smallWriters({ folder, seconds: full ? 5 : 1, rounds: full ? 3 : 1, log, signal }),
    large: (folder) => largeUnits({ folder, mebibytes: full ? 2000 : 500, rounds: 3, log, signal }),
    catalogue: (folder) => catalogueWork({ folder, keys: full ? 500_000 : 20_000, seed, log, signal }),
    open: (folder) => openWithUnits({ folder, units: full ? 1_000_000 : 50_000, log, signal }),
  };
  const names = Object.keys(parts).filter((name) => only === undefined || name === only);
  if (names.length === 0) throw new Error(`--only is one of ${Object.keys(parts).join(', ')}`);
  const measured = [];
  for (const name of names) {
    const folder = mkdtempSync(join(dir, 'bench-engine-'));
    try {
      measured.push(...(await parts[name](folder)));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    signal.throwIfAborted();
  }
  if (names.includes('small')) measured.push(...peerRows(peers));
  return { trials: measured.length, failures: 0, rows: table(measured) };
}
