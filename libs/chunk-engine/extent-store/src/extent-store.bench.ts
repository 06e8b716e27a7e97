/** 4 KiB and 1 MiB unit writes at 32 in flight on a file in the temporary folder; prints, asserts nothing. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Deadline, GIB, KIB, MIB } from '@holdfast/stdx';
import { ExtentStore } from './index.js';

const folder = await mkdtemp(join(tmpdir(), 'extent-store-bench-'));
const path = join(folder, 'device');
await ExtentStore.format(path, {
  deviceId: randomUUID(),
  clusterId: randomUUID(),
  generation: 1,
  capacityBytes: 4 * GIB,
});
const store = await ExtentStore.open(path);

async function run(sizeBytes: number, count: number): Promise<void> {
  const bytes = randomBytes(sizeBytes);
  let left = count;
  const started = performance.now();
  const writer = async (): Promise<void> => {
    while (left-- > 0) {
      const header = {
        chunkId: randomBytes(16).toString('hex'),
        unitIndex: 0,
        k: 1,
        m: 0,
        chunkSizeBytes: sizeBytes,
        unitSizeBytes: sizeBytes,
        bucketId: 1n,
        writeId: randomBytes(16).toString('hex'),
        writtenAtMs: 1,
      };
      const pull = async function* () {
        yield bytes;
      };
      await store.write(header, sizeBytes, pull, Deadline.in(60_000));
    }
  };
  const cpu = process.cpuUsage();
  await Promise.all(Array.from({ length: 32 }, writer));
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  const rate = `${Math.round(count / seconds)} writes/s, ${Math.round((count * sizeBytes) / MIB / seconds)} MiB/s`;
  console.log(`${sizeBytes / KIB} KiB: ${rate}, ${Math.round((used.user + used.system) / 1e4 / seconds)} % cpu`);
}

await run(4 * KIB, 50_000);
await run(MIB, 1_000);
await store.close();
const started = performance.now();
const again = await ExtentStore.open(path);
console.log(`open with ${again.status().unitCount} units: ${Math.round(performance.now() - started)} ms`);
await again.close();
await rm(folder, { recursive: true });
