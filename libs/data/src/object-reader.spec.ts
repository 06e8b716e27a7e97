import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { KIB, MIB } from '@holdfast/stdx';
import {
  backgroundCall,
  decodeChunkList,
  HoldfastError,
  LIMITS,
  newId,
  TraceLog,
  type ChunkEntry,
  type RedundancyProfile,
} from '@holdfast/contracts';
import { configureLog } from '@holdfast/service-host';
import {
  bodyOf,
  clusterMapOf,
  collect,
  deviceIdsOf,
  InMemoryUnitStore,
  InMemoryWriteRecords,
  type ClusterShape,
} from '@holdfast/testkit';
import { createDataService, type DataService, type DataServiceOptions } from './data-service.js';

configureLog({ service: 'test', level: 'error' });

const CHUNK = LIMITS.chunkBytesMax;
const FOUR_TWO: RedundancyProfile = { k: 4, m: 2, secondary: false };
const call = () => backgroundCall(20_000);
const started: DataService[] = [];
// A busy machine is slow; no case is about time.
jest.setTimeout(60_000);

afterEach(async () => {
  for (const data of started.splice(0)) await data.stop();
});

function start(shape: Partial<ClusterShape> = {}, options: Partial<DataServiceOptions> = {}) {
  const map = clusterMapOf({ sets: [{ nodes: 3, devicesPerNode: 2 }], ...shape });
  const units = new InMemoryUnitStore(deviceIdsOf(map));
  const records = new InMemoryWriteRecords(map);
  const trace = new TraceLog('data');
  const data = createDataService({ units, metadata: records, trace, ...options });
  started.push(data);
  const put = async (body: Buffer, profile = FOUR_TWO, homeSetId = 1) => {
    const target = { bucketId: 1n, homeSetId, profile, writeId: newId(), expectedBytes: body.length };
    return decodeChunkList((await data.objects.write(call(), target, bodyOf(body))).chunks);
  };
  const get = (chunks: readonly ChunkEntry[], firstByte: number, lastByte: number) =>
    collect(data.objects.read(call(), { chunks, firstByte, lastByte }));
  /** A chunk list whose secondary copies are another write of the same bytes in set 2. */
  const putTwice = async (body: Buffer, profile = FOUR_TWO): Promise<ChunkEntry[]> => {
    const [one, two] = [await put(body, profile, 1), await put(body, profile, 2)];
    return one.map((entry, index) => ({ ...entry, secondary: two[index].primary }));
  };
  const readsOf = (operation = 'read') => units.calls.filter((one) => one.operation === operation);
  return { units, trace, data, put, putTwice, get, readsOf };
}

const TWO_SETS = {
  sets: [
    { nodes: 3, devicesPerNode: 2 },
    { nodes: 3, devicesPerNode: 2 },
  ],
};

describe('reads from one set', () => {
  it('reads the data units alone, and of a range only the units and bytes that it covers', async () => {
    const { units, put, get, readsOf } = start();
    const body = randomBytes(CHUNK);
    const chunks = await put(body);
    units.calls.length = 0;
    await get(chunks, 0, CHUNK - 1);
    expect(new Set(readsOf().map(({ unit }) => unit?.unitIndex))).toEqual(new Set([0, 1, 2, 3]));
    units.calls.length = 0;
    const first = 2 * MIB + 5;
    expect((await get(chunks, first, first + 99)).equals(body.subarray(first, first + 100))).toBe(true);
    expect(readsOf().map(({ unit }) => unit?.unitIndex)).toEqual([1]);
  });

  it('seed-2.3: any two units of 4+2 may be lost, whole chunks and ranges', async () => {
    const { units, put, get } = start();
    const body = randomBytes(1_234_567);
    const chunks = await put(body);
    const { slots } = chunks[0].primary;
    for (let one = 0; one < 6; one += 1) {
      for (let two = 0; two < one; two += 1) {
        const lost = [`s1d${slots[one]}`, `s1d${slots[two]}`];
        units.fault = ({ deviceId }) => {
          if (lost.includes(deviceId)) throw new HoldfastError('UnitDamaged');
        };
        expect((await get(chunks, 0, body.length - 1)).equals(body)).toBe(true);
        expect((await get(chunks, 300_000, 700_000)).equals(body.subarray(300_000, 700_001))).toBe(true);
        expect((await get(chunks, 310_000, 310_000)).equals(body.subarray(310_000, 310_001))).toBe(true);
      }
    }
  });

  it('seed-0.17: with a node of two units down after the write, the bytes are computed from the rest', async () => {
    const { units, put, get, readsOf } = start();
    const body = randomBytes(2 * CHUNK + 77);
    const chunks = await put(body);
    units.fault = ({ nodeId }) => {
      if (nodeId === 's1n2') throw new HoldfastError('ServiceUnavailable');
    };
    units.calls.length = 0;
    expect((await get(chunks, 0, body.length - 1)).equals(body)).toBe(true);
    expect(readsOf().some(({ unit }) => (unit?.unitIndex ?? 0) >= 4)).toBe(true);
    // The node is known to be silent by now: the next read does not wait for it.
    units.calls.length = 0;
    expect((await get(chunks, 0, body.length - 1)).equals(body)).toBe(true);
    expect(readsOf().filter(({ nodeId }) => nodeId === 's1n2')).toEqual([]);
  });

  it('seed-0.18: more units lost than parity is an error, without a byte of the chunk', async () => {
    const { units, put, data } = start();
    const body = randomBytes(CHUNK + 1000);
    const chunks = await put(body);
    const lost = chunks[1].primary.slots.slice(0, 3).map((slot) => `s1d${slot}`);
    units.fault = ({ deviceId, unit }) => {
      if (lost.includes(deviceId) && unit?.chunkId === chunks[1].primary.chunkId)
        throw new HoldfastError('UnitDamaged');
    };
    const pieces: Buffer[] = [];
    const read = async () => {
      for await (const piece of data.objects.read(call(), { chunks, firstByte: 0, lastByte: body.length - 1 }))
        pieces.push(Buffer.from(piece));
    };
    await expect(read()).rejects.toMatchObject({ code: 'DataUnreadable' });
    expect(Buffer.concat(pieces).equals(body.subarray(0, CHUNK))).toBe(true);
    const large = await put(body);
    units.fault = ({ deviceId }) => {
      if (
        large[0].primary.slots
          .slice(1, 4)
          .map((slot) => `s1d${slot}`)
          .includes(deviceId)
      )
        throw new HoldfastError('UnitDamaged');
    };
    await expect(
      collect(data.objects.read(call(), { chunks: large, firstByte: 0, lastByte: 9 })),
    ).resolves.toHaveLength(10);
    await expect(
      collect(data.objects.read(call(), { chunks: large, firstByte: 3 * MIB, lastByte: 3 * MIB })),
    ).rejects.toMatchObject({ code: 'DataUnreadable' });
  });

  it('seed-2.27: sizes around a unit and a stripe come back, and with any one unit lost', async () => {
    const { units, put, get } = start({ sets: [{ nodes: 3, devicesPerNode: 1 }] });
    const profile = { k: 2, m: 1, secondary: false };
    const unit = 16 * KIB;
    for (const sizeBytes of [1, 4095, 4096, unit - 1, unit, unit + 1, 2 * unit - 1, 2 * unit, 2 * unit + 1]) {
      const body = randomBytes(sizeBytes);
      const chunks = await put(body, profile);
      for (const lost of ['none', 's1d0', 's1d1', 's1d2']) {
        units.fault = ({ deviceId, operation }) => {
          if (operation === 'read' && deviceId === lost) throw new HoldfastError('UnitDamaged');
        };
        expect((await get(chunks, 0, sizeBytes - 1)).equals(body)).toBe(true);
      }
    }
  });

  it('seed-2.26: a unit that is not what the record says is not used', async () => {
    const { units, put, get } = start();
    for (const sizeBytes of [500, 700_000]) {
      const body = randomBytes(sizeBytes);
      const chunks = await put(body);
      const { chunkId, slots } = chunks[0].primary;
      for (const change of [
        { k: 3 },
        { m: 7 },
        { chunkSizeBytes: sizeBytes + 1 },
        { chunkId: newId() },
        { unitIndex: 5 },
      ]) {
        const body2 = randomBytes(sizeBytes);
        const other = await put(body2);
        units.tamper(
          `s1d${other[0].primary.slots[0]}`,
          { chunkId: other[0].primary.chunkId, unitIndex: 0 },
          (held) => ({
            header: { ...held.header, ...change },
            bytes: randomBytes(held.bytes.length),
          }),
        );
        for (let round = 0; round < 3; round += 1)
          expect((await get(other, 0, sizeBytes - 1)).equals(body2)).toBe(true);
      }
      units.tamper(`s1d${slots[0]}`, { chunkId, unitIndex: 0 }, (held) => ({ ...held, bytes: held.bytes.subarray(1) }));
      for (let round = 0; round < 3; round += 1) expect((await get(chunks, 0, sizeBytes - 1)).equals(body)).toBe(true);
    }
  });

  it('a device that never answers is waited for only a moment, small chunks and large ones', async () => {
    const { units, put, get } = start({}, { hedgeAfterMs: 50 });
    for (const sizeBytes of [500, 700_000]) {
      const body = randomBytes(sizeBytes);
      const chunks = await put(body);
      const hung = chunks[0].primary.slots.slice(0, 2).map((slot) => `s1d${slot}`);
      units.fault = async ({ deviceId, operation }) => {
        if (operation === 'read' && hung.includes(deviceId)) await new Promise(() => undefined);
      };
      for (let round = 0; round < 3; round += 1) expect((await get(chunks, 0, sizeBytes - 1)).equals(body)).toBe(true);
      units.fault = () => undefined;
    }
  });

  it('a helper that fails after a slow unit is replaced by the next one', async () => {
    const { units, put, get } = start({}, { hedgeAfterMs: 50 });
    const body = randomBytes(700_000);
    const chunks = await put(body);
    const deviceOf = (index: number) => `s1d${chunks[0].primary.slots[index]}`;
    units.fault = async ({ deviceId, operation }) => {
      if (operation !== 'read') return;
      if (deviceId === deviceOf(0)) await new Promise(() => undefined);
      if (deviceId === deviceOf(4)) throw new HoldfastError('UnitDamaged');
    };
    expect((await get(chunks, 0, body.length - 1)).equals(body)).toBe(true);
  });

  it('spreads reads of a small chunk over its copies', async () => {
    const { units, put, get, readsOf } = start();
    const chunks = await put(randomBytes(100));
    units.calls.length = 0;
    for (let round = 0; round < 9; round += 1) await get(chunks, 0, 99);
    expect(readsOf().length).toBe(9);
    expect(new Set(readsOf().map(({ deviceId }) => deviceId)).size).toBe(3);
  });
});

describe('reads from two sets', () => {
  it('seed-3.15: the chunks of one read take turns between primary and secondary', async () => {
    const { units, trace, data, putTwice } = start(TWO_SETS);
    const body = randomBytes(3 * CHUNK + 5);
    const chunks = await putTwice(body);
    units.calls.length = 0;
    const download = { ...call(), flow: 'object-download' as const };
    const found = await collect(data.objects.read(download, { chunks, firstByte: 0, lastByte: body.length - 1 }));
    expect(found.equals(body)).toBe(true);
    const setOf = new Map<string, Set<string>>();
    for (const { unit, deviceId, operation } of units.calls) {
      if (operation !== 'read' || unit === undefined) continue;
      setOf.set(unit.chunkId, (setOf.get(unit.chunkId) ?? new Set()).add(deviceId.slice(0, 2)));
    }
    const copies = chunks.map((chunk, index) => (index % 2 === 0 ? chunk.primary : chunk.secondary)?.chunkId);
    expect([...setOf.keys()].sort()).toEqual([...copies].sort());
    expect([...setOf.values()].every((sets) => sets.size === 1)).toBe(true);
    expect(trace.find(download.requestId).map(({ step }) => step)).toEqual([8, 10, 12, 13]);
  });

  it('seed-3.15: a secondary that is missing or damaged is passed over for the primary, and the other way round', async () => {
    const { units, putTwice, get } = start(TWO_SETS);
    for (const sizeBytes of [1000, 2 * CHUNK + 5]) {
      const body = randomBytes(sizeBytes);
      const chunks = await putTwice(body);
      for (const [lost, code] of [
        ['s2', 'UnitDamaged'],
        ['s1', 'UnitDamaged'],
        ['s1', 'ServiceUnavailable'],
      ] as const) {
        units.fault = ({ deviceId, operation }) => {
          if (operation === 'read' && deviceId.startsWith(lost)) throw new HoldfastError(code);
        };
        expect((await get(chunks, 0, sizeBytes - 1)).equals(body)).toBe(true);
      }
      units.fault = ({ operation }) => {
        if (operation === 'read') throw new HoldfastError('UnitDamaged');
      };
      await expect(get(chunks, 0, sizeBytes - 1)).rejects.toMatchObject({ code: 'DataUnreadable' });
    }
  });

  it('tells the node which copy it asks for', async () => {
    const { units, data, putTwice } = start(TWO_SETS);
    const chunks = await putTwice(randomBytes(2 * CHUNK));
    const copies: unknown[] = [];
    const read = units.read.bind(units);
    units.read = (one, ...rest) => {
      copies.push(`${rest[0].deviceId.slice(0, 2)} ${String(Reflect.get(one, 'copy') ?? 'primary')}`);
      return read(one, ...rest);
    };
    await collect(data.objects.read(call(), { chunks, firstByte: 0, lastByte: 2 * CHUNK - 1 }));
    expect(new Set(copies)).toEqual(new Set(['s1 primary', 's2 secondary']));
  });
});

describe('memory of readers', () => {
  it('many readers that stand still leave room for others, and get all their bytes when they go on', async () => {
    const { put, get, data } = start({ sets: [{ nodes: 3, devicesPerNode: 1 }] });
    const body = randomBytes(CHUNK + 5 * MIB);
    const chunks = await put(body, { k: 2, m: 1, secondary: false });
    const range = { chunks, firstByte: 0, lastByte: body.length - 1 };
    const still = Array.from({ length: 32 }, () => data.objects.read(call(), range)[Symbol.asyncIterator]());
    const begun = await Promise.all(still.map((iterator) => iterator.next()));
    expect((await get(chunks, 7, MIB + 6)).equals(body.subarray(7, MIB + 7))).toBe(true);
    expect((await get(chunks, 0, body.length - 1)).equals(body)).toBe(true);
    for (const [index, iterator] of still.entries()) {
      const pieces: Buffer[] = [];
      for (let step = begun[index]; step.done !== true; step = await iterator.next())
        pieces.push(Buffer.from(step.value as Buffer));
      expect(Buffer.concat(pieces).equals(body)).toBe(true);
    }
  });

  it('readers that stand still hold one step with its parity each, smaller and smaller ones, and more of them wait', async () => {
    const { put, data } = start({}, { readerBufferBytes: 3 * MIB });
    const body = randomBytes(3 * CHUNK);
    const chunks = await put(body);
    const range = { chunks, firstByte: 0, lastByte: body.length - 1 };
    // Of 1 MiB while half of the memory is free, of 256 KiB while a quarter is, then of 128 KiB: each and half as much again.
    const iterators = Array.from({ length: 1 + 2 + 4 }, () => data.objects.read(call(), range)[Symbol.asyncIterator]());
    const sizes: unknown[] = [];
    for (const iterator of iterators) sizes.push((await iterator.next()).value?.length);
    expect(sizes).toEqual([MIB, ...[1, 2].map(() => 256 * KIB), ...[1, 2, 3, 4].map(() => 128 * KIB)]);
    const late = data.objects.read(backgroundCall(50), range)[Symbol.asyncIterator]();
    await expect(late.next()).rejects.toMatchObject({ code: 'SlowDown' });
    for (const iterator of iterators) await iterator.return?.();
    expect((await collect(data.objects.read(call(), range))).equals(body)).toBe(true);
  });
});
