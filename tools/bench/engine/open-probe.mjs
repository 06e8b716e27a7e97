// Run in a process of its own: opens a device, looks at random places of it, and prints what that took. Without arguments: the
// memory of a process that has loaded the engine.
import { randomBytes } from 'node:crypto';
import { ExtentStore } from '@holdfast/extent-store';

const LOOKS = 20_000;
const [path, cacheBytes] = process.argv.slice(2);

async function measure() {
  if (path === undefined) return {};
  const startedMs = performance.now();
  const store = await ExtentStore.open(path, { cacheBytes: Number(cacheBytes) });
  const openMs = performance.now() - startedMs;
  const [first] = await store.list({ limit: 1 });
  const from = parseInt(first.chunkId.slice(0, 12), 16);
  const { unitCount } = store.status();
  const readFromMs = performance.now();
  for (let look = 0; look < LOOKS; look += 1) {
    // The unit behind a random id of the time in which they were written.
    const time = (from + Math.floor(Math.random() * unitCount)).toString(16).padStart(12, '0');
    await store.list({ after: { chunkId: time + randomBytes(10).toString('hex'), unitIndex: 0 }, limit: 1 });
  }
  const readMs = performance.now() - readFromMs;
  globalThis.gc();
  const rssBytes = process.memoryUsage().rss;
  await store.close();
  return { openMs, readMs, rssBytes, unitCount };
}

const measured = await measure();
globalThis.gc();
console.log(JSON.stringify({ rssBytes: process.memoryUsage().rss, ...measured }));
