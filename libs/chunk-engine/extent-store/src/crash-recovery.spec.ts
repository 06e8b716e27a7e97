/**
 * Power cuts on a simulated device. The promise under test: what was acknowledged is there afterwards with its bytes;
 * what was not is there whole or not at all; and the device goes on working.
 */
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { ExtentStore } from './extent-store.js';
import { LOG_HALF_BYTES, authority, bytesOf, formattedImage, headerOf, openImage, put } from './store-fixture.js';
import { SimulatedDevice, type FaultPlan } from './simulated-device.js';

const LOG_START = 4 * BLOCK_BYTES;
const sizeOf = (number: number): number => [100, 4096, 9000, 300, 70_000][number % 5];
const keyOf = (number: number) => ({ chunkId: headerOf(number, 0).chunkId, unitIndex: number % 3 });

/** What a client was told. */
interface Ledger {
  readonly stored: Set<number>;
  readonly freed: Set<number>;
  /** Asked for and not answered: may have happened or not. */
  readonly uncertain: Set<number>;
}

/** Puts and frees in small bursts; stops at the first failure, as a process that lost its power does. */
async function workload(store: ExtentStore, ledger: Ledger, first: number, rounds: number): Promise<void> {
  const attempt = async (numbers: number[], work: () => Promise<unknown>, told: Set<number>, before?: Set<number>) => {
    for (const number of numbers) {
      before?.delete(number);
      ledger.uncertain.add(number);
    }
    try {
      await work();
    } catch {
      return;
    }
    for (const number of numbers) {
      ledger.uncertain.delete(number);
      told.add(number);
    }
  };
  for (let round = 0; round < rounds; round += 1) {
    const base = first + round * 4;
    const puts = [0, 1, 2].map((step) =>
      attempt([base + step], () => put(store, base + step, sizeOf(base + step)), ledger.stored),
    );
    await Promise.all(puts);
    const old = [base - 4, base - 2].filter((number) => ledger.stored.has(number));
    const free = attempt(old, () => store.free(old.map(keyOf), authority(BigInt(base))), ledger.freed, ledger.stored);
    const another = attempt([base + 3], () => put(store, base + 3, sizeOf(base + 3)), ledger.stored);
    await Promise.all([free, another]);
    if (store.status().state === 'dead') return;
  }
}

const emptyLedger = (): Ledger => ({ stored: new Set(), freed: new Set(), uncertain: new Set() });

async function checkImage(image: Buffer, ledger: Ledger): Promise<void> {
  const { store, device } = await openImage(image);
  const check = async (on: ExtentStore): Promise<void> => {
    for (const number of [...ledger.stored, ...ledger.freed, ...ledger.uncertain]) {
      const unit = await on.read(keyOf(number).chunkId, keyOf(number).unitIndex);
      if (unit === undefined && ledger.stored.has(number)) throw new Error(`unit ${number} is lost`);
      if (unit !== undefined && ledger.freed.has(number)) throw new Error(`unit ${number} came back`);
      if (unit !== undefined && !unit.bytes.equals(bytesOf(number, sizeOf(number)))) throw new Error(`unit ${number}`);
    }
  };
  await check(store);
  const listed = store.list({ limit: 10_000 });
  expect(listed.length).toBe(store.status().unitCount);
  await put(store, 90_000, 5000);
  await check(store);
  const { store: again } = await openImage(device.image);
  await check(again);
  expect(again.status()).toEqual(store.status());
}

/** Which pieces of the unflushed writes survive: all, none, each alone lost, each alone kept, each alone torn, some mixed. */
function* survivals(count: number, mixed: number): Generator<(piece: number, sizeBytes: number) => number> {
  yield (_piece, sizeBytes) => sizeBytes;
  yield () => 0;
  for (let chosen = 0; chosen < count; chosen += 1) {
    yield (piece, sizeBytes) => (piece === chosen ? 0 : sizeBytes);
    yield (piece, sizeBytes) => (piece === chosen ? sizeBytes : 0);
    yield (piece, sizeBytes) => (piece === chosen ? 512 * (1 + (chosen % 7)) : sizeBytes);
  }
  let state = count + 1;
  for (let round = 0; round < mixed; round += 1) {
    yield (_piece, sizeBytes) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 31 === 0 ? 0 : sizeBytes;
    };
  }
}

const cutAt =
  (call: number): FaultPlan =>
  (now) =>
    now === call ? 'cut' : undefined;

/** Few of the survivals when there are many pieces, so that a large unit does not multiply the cases. */
function sample<Item>(items: Item[], most: number): Item[] {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, index) => items[Math.floor((index * items.length) / most)]);
}

describe('power cuts', () => {
  it.each([
    ['space that is claimed as it is needed', undefined],
    ['space that is prepared in stretches of 8 blocks', { stretchBlocks: 8, stretchesFreeMin: 2 }],
  ])(
    'seed-2.17: at every write and flush of a run, in many combinations, nothing acknowledged is lost: %s',
    async (_how, prepared) => {
      const image = await formattedImage();
      let cases = 0;
      for (let call = 1; ; call += 1) {
        const ledger = emptyLedger();
        const { device, store } = await openImage(image, cutAt(call), undefined, prepared);
        await workload(store, ledger, 10, 6);
        for (const keep of sample([...survivals(device.unflushed.length, 4)], 12)) {
          await checkImage(device.imageAfterCut(keep), ledger);
          cases += 1;
        }
        if (!device.cut) break;
      }
      expect(cases).toBeGreaterThan(300);
    },
    60_000,
  );

  it('seed-2.17: a cut after a cut: the first recovery is cut again at every call', async () => {
    const ledger = emptyLedger();
    const { device, store } = await openImage(await formattedImage(), cutAt(40));
    await workload(store, ledger, 10, 8);
    expect(device.cut).toBe(true);
    const torn = device.imageAfterCut((piece, sizeBytes) => (piece % 2 === 0 ? sizeBytes : 0));
    for (let call = 1; ; call += 1) {
      const second: Ledger = {
        stored: new Set(ledger.stored),
        freed: new Set(ledger.freed),
        uncertain: new Set(ledger.uncertain),
      };
      const { device: next, store: reopened } = await openImage(torn, cutAt(call));
      await workload(reopened, second, 1000, 2);
      for (const keep of sample([...survivals(next.unflushed.length, 3)], 8)) {
        await checkImage(next.imageAfterCut(keep), second);
      }
      if (!next.cut) break;
    }
  }, 60_000);

  it('seed-2.17: while a full log half is changed for the other, at every call', async () => {
    const image = await formattedImage();
    const ledger = emptyLedger();
    const { device, store } = await openImage(image);
    const isRenewal = (from: number): boolean => device.writes.slice(from).some((write) => write.position < LOG_START);
    // Up to just before the log half is full.
    let rounds = 0;
    let before: { image: Buffer; ledger: Ledger; next: number } | undefined;
    let callsPerStep = 0;
    for (let next = 10; ; next += 4, rounds += 1) {
      const snapshot = {
        image: Buffer.from(device.image),
        ledger: { stored: new Set(ledger.stored), freed: new Set(ledger.freed), uncertain: new Set<number>() },
        next,
      };
      const writes = device.writes.length;
      await workload(store, ledger, next, 1);
      if (rounds > 0 && isRenewal(writes)) {
        before = snapshot;
        callsPerStep = device.writes.length - writes;
        break;
      }
    }
    expect(callsPerStep).toBeGreaterThan(4);
    for (let call = 1; ; call += 1) {
      const again: Ledger = {
        stored: new Set(before.ledger.stored),
        freed: new Set(before.ledger.freed),
        uncertain: new Set(),
      };
      const { device: next, store: reopened } = await openImage(before.image, cutAt(call));
      await workload(reopened, again, before.next, 1);
      for (const keep of sample([...survivals(next.unflushed.length, 4)], 12)) {
        await checkImage(next.imageAfterCut(keep), again);
      }
      if (!next.cut) break;
    }
  }, 60_000);
});

describe('log generations', () => {
  it('one that an interrupted snapshot carries is never used again', async () => {
    const { device } = await openImage(await formattedImage());
    const seen = new Set<bigint>([1n]);
    let image = device.image;
    const halfStarts = [LOG_START, LOG_START + LOG_HALF_BYTES];
    // Cut at every call of the first renewal, each time on what the cut before left, everything written having arrived.
    for (let call = 1; call <= 12; call += 1) {
      const { device: next, store } = await openImage(image, cutAt(call));
      await put(store, call, 100).catch(() => undefined);
      image = next.imageAfterCut((_piece, sizeBytes) => sizeBytes);
      const written = next.writes.filter(({ position }) => halfStarts.includes(position));
      for (const { position } of written) {
        const generation = image.readBigUInt64LE(position + 32);
        expect(seen.has(generation)).toBe(false);
        seen.add(generation);
      }
    }
    expect(seen.size).toBeGreaterThan(6);
  });
});

describe('the tail of the log', () => {
  /** A device with three flushed groups and a fourth of several units, and where the fourth lies. */
  async function fourGroups() {
    const { device, store } = await openImage(await formattedImage());
    for (const number of [1, 2, 3]) await put(store, number, sizeOf(number));
    const before = Buffer.from(device.image);
    const writes = device.writes.length;
    await Promise.all([4, 5, 6].map((number) => put(store, number, sizeOf(number))));
    const last = device.writes.slice(writes).find(({ position }) => position < LOG_START + 2 * LOG_HALF_BYTES);
    if (last === undefined) throw new Error('no log write');
    return { device, before, last };
  }
  const unitsOf = async (image: Buffer): Promise<number[]> => {
    const { store } = await openImage(image);
    const found: number[] = [];
    for (const number of [1, 2, 3, 4, 5, 6]) {
      const unit = await store.read(keyOf(number).chunkId, keyOf(number).unitIndex);
      if (unit !== undefined) found.push(number);
      expect(unit === undefined || unit.bytes.equals(bytesOf(number, sizeOf(number)))).toBe(true);
    }
    return found;
  };

  it('torn at every byte of the last group: the groups before stand, the last one stands only when it is whole', async () => {
    const { device, before, last } = await fourGroups();
    const recordsEnd = 64 + device.image.readUInt32LE(last.position + 56);
    for (let kept = 0; kept <= recordsEnd; kept += 1) {
      const image = Buffer.from(device.image);
      before.copy(image, last.position + kept, last.position + kept, last.position + last.sizeBytes);
      const isWhole =
        image.compare(
          device.image,
          last.position,
          last.position + recordsEnd,
          last.position,
          last.position + recordsEnd,
        ) === 0;
      expect(await unitsOf(image)).toEqual(isWhole ? [1, 2, 3, 4, 5, 6] : [1, 2, 3]);
    }
  }, 60_000);

  it('a last group whose data did not arrive is dropped whole, and stays dropped after later writes', async () => {
    const { device } = await fourGroups();
    const image = Buffer.from(device.image);
    const at = image.indexOf(bytesOf(5, sizeOf(5)));
    image.fill(0, at, at + 50);
    expect(await unitsOf(image)).toEqual([1, 2, 3]);
    const { device: next, store } = await openImage(image);
    await put(store, 5, sizeOf(5));
    expect(await unitsOf(next.image)).toEqual([1, 2, 3, 5]);
  });

  it('a damaged group below what is known flushed is corruption, named with file and position, and nothing is changed', async () => {
    const { device } = await fourGroups();
    const groups = device.writes.filter(
      ({ position }) => position >= LOG_START && position < LOG_START + 2 * LOG_HALF_BYTES,
    );
    const flushed = groups.slice(0, -1);
    expect(flushed.length).toBe(4);
    for (const { position } of flushed) {
      const image = Buffer.from(device.image);
      image[position + 70] ^= 1;
      const opening = openImage(image);
      await expect(opening).rejects.toMatchObject({ code: 'BadDevice' });
      await expect(opening).rejects.toThrow(`sim at byte ${position}`);
    }
  });

  it('after a clean close damage to the last group is corruption too', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, sizeOf(1));
    await store.close();
    const last = device.writes
      .filter(({ position }) => position >= LOG_START && position < LOG_START + 2 * LOG_HALF_BYTES)
      .at(-1);
    const image = Buffer.from(device.image);
    image[(last?.position ?? 0) + 70] ^= 1;
    await expect(openImage(image)).rejects.toMatchObject({ code: 'BadDevice' });
  });

  it('any one, two or three damaged superblock copies do no harm', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, sizeOf(1));
    await store.close();
    for (let mask = 0; mask < 15; mask += 1) {
      const image = Buffer.from(device.image);
      for (let copy = 0; copy < 4; copy += 1) if ((mask >> copy) & 1) image[copy * BLOCK_BYTES + 60] ^= 1;
      expect(await unitsOf(image)).toEqual([1]);
    }
    const image = Buffer.from(device.image);
    for (let copy = 0; copy < 4; copy += 1) image[copy * BLOCK_BYTES + 60] ^= 1;
    await expect(openImage(image)).rejects.toThrow('superblock copies are damaged');
  });

  it('a second process that wrote the superblock is noticed before the log half changes', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, sizeOf(1));
    const other = new SimulatedDevice(device.image);
    const { store: intruder, device: theirs } = await openImage(other.image);
    await put(intruder, 2, 100);
    await device.write([theirs.image.subarray(0, LOG_START)], 0);
    let outcome: unknown;
    for (let number = 10; number < 100 && outcome === undefined; number += 1) {
      outcome = await put(store, number, 100).then(
        () => undefined,
        (error: { code: string }) => error.code,
      );
    }
    expect(outcome).toBe('DeviceDead');
  });
});
