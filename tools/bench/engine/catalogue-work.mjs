// Catalogue: durable puts of keys in random order, gets of all, one scan.
import { ExtentStore } from '@holdfast/extent-store';
import { GIB, newDevice, rate } from './measure.mjs';

const VALUE_BYTES = 200;
const IN_FLIGHT = 128;

/** Keys 0..count-1 in an order drawn from the seed. */
function shuffled(count, seed) {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  let state = seed >>> 0;
  for (let at = count - 1; at > 0; at -= 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (at + 1));
    [order[at], order[other]] = [order[other], order[at]];
  }
  return order;
}

export async function catalogueWork({ folder, keys, seed, log, signal }) {
  const store = await ExtentStore.open(await newDevice(folder, 4 * GIB));
  try {
    const catalogue = await store.createCatalogue(Buffer.from('bench'));
    const order = shuffled(keys, seed);
    const key = (number) => Buffer.from(`photos/2026/${String(number).padStart(9, '0')}.jpg`);
    const value = Buffer.alloc(VALUE_BYTES, 7);
    const more = (begun) => begun < keys;
    const put = await rate({
      inFlight: IN_FLIGHT,
      more,
      work: (turn) => catalogue.put(key(order[turn]), value),
      signal,
    });
    const get = await rate({
      inFlight: IN_FLIGHT,
      more,
      signal,
      work: async (turn) => {
        if ((await catalogue.get(key(order[keys - 1 - turn])))?.length !== VALUE_BYTES)
          throw new Error('a key is not there');
      },
    });
    signal.throwIfAborted();
    const startedMs = performance.now();
    const usedBefore = process.cpuUsage();
    let count = 0;
    for await (const entry of catalogue.scan()) count += entry.value.length === VALUE_BYTES ? 1 : 0;
    const { user, system } = process.cpuUsage(usedBefore);
    if (count !== keys) throw new Error(`the scan saw ${count} of ${keys} keys`);
    const scan = { perSecond: (count * 1000) / (performance.now() - startedMs), cpuUs: (user + system) / count };
    const what = `${keys} keys of 24 bytes, values of ${VALUE_BYTES}`;
    log(
      `catalogue: put ${put.perSecond.toFixed(0)}/s, get ${get.perSecond.toFixed(0)}/s, scan ${scan.perSecond.toFixed(0)}/s`,
    );
    return [
      {
        work: `catalogue put, ${IN_FLIGHT} in flight`,
        what,
        ...put,
        note: `durable; tree of height ${catalogue.height}`,
      },
      { work: `catalogue get, ${IN_FLIGHT} in flight`, what, ...get },
      { work: 'catalogue scan', what, ...scan },
    ];
  } finally {
    await store.close();
  }
}
