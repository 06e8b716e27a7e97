// A device with many small units: what opening it takes in a process of its own, and how much memory that process has then.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { ExtentStore } from '@holdfast/extent-store';
import { GIB, KIB, MIB, newChunkId, newDevice, rate, writeUnit } from './measure.mjs';

const CACHE_BYTES = 32 * MIB;
const PROBE = fileURLToPath(new URL('open-probe.mjs', import.meta.url));

function probe(...args) {
  return JSON.parse(execFileSync(process.execPath, ['--expose-gc', PROBE, ...args.map(String)], { encoding: 'utf8' }));
}

export async function openWithUnits({ folder, units, log, signal }) {
  const path = await newDevice(folder, Math.ceil((units * 4 * KIB * 1.25) / MIB) * MIB + GIB);
  const store = await ExtentStore.open(path, { cacheBytes: CACHE_BYTES });
  const bytes = randomBytes(4 * KIB);
  const startMs = Date.now();
  const work = (turn) => writeUnit(store, newChunkId(startMs + turn), bytes);
  await rate({ inFlight: 128, more: (begun) => begun < units, work, signal });
  await store.close();
  signal.throwIfAborted();
  const empty = probe();
  const { openMs, rssBytes, readMs, unitCount } = probe(path, CACHE_BYTES);
  if (unitCount !== units) throw new Error(`the device has ${unitCount} units instead of ${units}`);
  const memory = `${(rssBytes / MIB).toFixed(0)} MiB resident after 20,000 random looks (${(empty.rssBytes / MIB).toFixed(0)} before the open)`;
  log(`open with ${units} units: ${openMs.toFixed(0)} ms, ${memory}`);
  return [
    { work: 'open', what: `${units} units, page cache at most 32 MiB`, note: `${openMs.toFixed(0)} ms; ${memory}` },
    { work: 'stat of a random unit', what: `${units} units, one in flight`, perSecond: 20_000 / (readMs / 1000) },
  ];
}
