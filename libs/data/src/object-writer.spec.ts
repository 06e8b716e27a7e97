import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { MIB } from '@holdfast/stdx';
import {
  backgroundCall,
  decodeChunkList,
  HoldfastError,
  LIMITS,
  newId,
  TraceLog,
  type ErrorName,
  type RedundancyProfile,
  type WriteTarget,
} from '@holdfast/contracts';
import { configureLog } from '@holdfast/service-host';
import {
  bodyOf,
  clusterMapOf,
  collect,
  deviceIdsOf,
  InMemoryUnitStore,
  InMemoryWriteRecords,
  withFailedDevices,
  type ClusterShape,
  type UnitCall,
} from '@holdfast/testkit';
import { createDataService, type DataService, type DataServiceOptions } from './data-service.js';

configureLog({ service: 'test', level: 'error' });

const CHUNK = LIMITS.chunkBytesMax;
const call = () => backgroundCall(20_000);
const started: DataService[] = [];
// A busy machine is slow; no case is about time.
jest.setTimeout(60_000);

afterEach(async () => {
  for (const data of started.splice(0)) await data.stop();
});

const FOUR_TWO: RedundancyProfile = { k: 4, m: 2, secondary: false };
const TWO_ONE: RedundancyProfile = { k: 2, m: 1, secondary: false };

function start(shape: Partial<ClusterShape> = {}, options: Partial<DataServiceOptions> = {}) {
  const map = clusterMapOf({ sets: [{ nodes: 3, devicesPerNode: 2 }], ...shape });
  const units = new InMemoryUnitStore(deviceIdsOf(map));
  const records = new InMemoryWriteRecords(map);
  const trace = new TraceLog('data');
  const data = createDataService({ units, metadata: records, trace, ...options });
  started.push(data);
  const put = async (body: Buffer, profile: RedundancyProfile = FOUR_TWO, over: Partial<WriteTarget> = {}) => {
    const target = { bucketId: 1n, homeSetId: 1, profile, writeId: newId(), expectedBytes: body.length, ...over };
    const written = await data.objects.write(call(), target, bodyOf(body));
    return { written, chunks: decodeChunkList(written.chunks) };
  };
  const get = (chunks: Awaited<ReturnType<typeof put>>['chunks'], sizeBytes: number) =>
    collect(data.objects.read(call(), { chunks, firstByte: 0, lastByte: sizeBytes - 1 }));
  return { map, units, records, trace, data, put, get };
}

/** Writes to these devices fail; `except` answers so for itself. */
function failing(deviceIds: readonly string[], code: ErrorName = 'DeviceDead', operations = ['write', 'status']) {
  return (one: UnitCall): void => {
    if (operations.includes(one.operation) && deviceIds.includes(one.deviceId)) throw new HoldfastError(code);
  };
}

const shapeOf = ({ primary }: { primary: { k: number; m: number } }) => `${primary.k}+${primary.m}`;

describe('where units go', () => {
  it('seed-0.13: sends the units of a group in parallel, each to a device of its own, all of one set', async () => {
    const { units, put } = start({
      sets: [
        { nodes: 3, devicesPerNode: 2 },
        { nodes: 3, devicesPerNode: 2 },
      ],
    });
    let waiting = 0;
    let release: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (release = resolve));
    units.fault = async ({ operation }) => {
      if (operation !== 'write') return;
      waiting += 1;
      if (waiting === 6) release();
      await all;
    };
    const { chunks } = await put(randomBytes(MIB));
    expect(new Set(chunks[0].primary.slots).size).toBe(6);
    const devices = units.calls.filter(({ operation }) => operation === 'write').map(({ deviceId }) => deviceId);
    expect([...devices].sort()).toEqual(['s1d0', 's1d1', 's1d2', 's1d3', 's1d4', 's1d5']);
  });

  it('seed-2.2: cuts 8 MiB into 8 units of 1 MiB, and pads the last chunk only in the arithmetic', async () => {
    const { units, put, get } = start({ sets: [{ nodes: 5, devicesPerNode: 2 }] });
    const body = randomBytes(CHUNK + 1_500_000);
    const { chunks } = await put(body, { k: 8, m: 2, secondary: false });
    const sizesOf = (chunkId: string) =>
      deviceIdsOf(clusterMapOf({ sets: [{ nodes: 5, devicesPerNode: 2 }] }))
        .flatMap((deviceId) => units.unitsOn(deviceId))
        .filter((unit) => unit.chunkId === chunkId)
        .sort((a, b) => a.unitIndex - b.unitIndex)
        .map(({ unitSizeBytes }) => unitSizeBytes);
    expect(sizesOf(chunks[0].primary.chunkId)).toEqual(new Array(10).fill(MIB));
    const last = sizesOf(chunks[1].primary.chunkId);
    expect(last.slice(0, 8).reduce((sum, size) => sum + size, 0)).toBe(1_500_000);
    expect((await get(chunks, body.length)).equals(body)).toBe(true);
  });

  it('keeps a chunk of 16 KiB as copies and a larger one as units', async () => {
    const { put } = start();
    expect((await put(randomBytes(16 * 1024))).chunks.map(shapeOf)).toEqual(['1+2']);
    expect((await put(randomBytes(16 * 1024 + 1))).chunks.map(shapeOf)).toEqual(['4+2']);
  });

  it('passes over a home set that is full, and one that is draining', async () => {
    const sets = [
      { nodes: 1, devicesPerNode: 2 },
      { nodes: 3, devicesPerNode: 1 },
    ];
    const full = start({ sets });
    for (const deviceId of ['s1d0', 's1d1']) full.units.setFull(deviceId, true);
    expect((await full.put(randomBytes(100_000), TWO_ONE)).chunks[0].primary.setId).toBe(2);
    const draining = start({ sets });
    draining.records.map = {
      ...draining.map,
      sets: draining.map.sets.map((set) => (set.setId === 1 ? { ...set, state: 'draining' as const } : set)),
    };
    expect((await draining.put(randomBytes(100_000), TWO_ONE)).chunks[0].primary.setId).toBe(2);
    expect(draining.units.unitsOn('s1d0')).toEqual([]);
  });
});

describe('units that fail', () => {
  it('seed-0.14: one of six units fails and the write succeeds; the log names unit, device and node', async () => {
    const { units, put, get } = start();
    units.fault = failing(['s1d3']);
    const lines: string[] = [];
    const stderr = jest.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
    configureLog({ service: 'test', level: 'warn' });
    const body = randomBytes(500_000);
    const { written, chunks } = await put(body);
    configureLog({ service: 'test', level: 'error' });
    stderr.mockRestore();
    expect(chunks.map(shapeOf)).toEqual(['4+2']);
    expect(written.degraded).toBe(true);
    const { chunkId, slots } = chunks[0].primary;
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(logged).toContainEqual(
      expect.objectContaining({ chunkId, unit: slots.indexOf(3), device: 's1d3', node: 's1n2' }),
    );
    expect((await get(chunks, body.length)).equals(body)).toBe(true);
  });

  // Six devices, 4+2, and no device to spare: what is written when `failed` of them fail in flight.
  it.each([
    [0, '4+2', false],
    [1, '4+2', true],
    [2, '2+2', true],
    [3, '2+1', true],
    [4, '1+1', true],
  ])('seed-0.15: %i errors end in %s with margin, degraded %s', async (failed, shape, degraded) => {
    const { units, put, get } = start();
    const down = ['s1d0', 's1d1', 's1d2', 's1d3', 's1d4', 's1d5'].slice(0, failed);
    units.fault = failing(down, 'UnitExists');
    const body = randomBytes(3_000_000);
    const { written, chunks } = await put(body);
    expect(chunks.map(shapeOf)).toEqual([shape]);
    expect(written.degraded).toBe(degraded);
    const { chunkId, m, k } = chunks[0].primary;
    const durable = units.calls.length > 0 ? countUnits(units, chunkId) : 0;
    expect(k + m - durable).toBeLessThan(m);
    expect((await get(chunks, body.length)).equals(body)).toBe(true);
  });

  it.each([5, 6])(
    'seed-0.15: %i errors of six are ServiceUnavailable: no chunk list names what was sent',
    async (failed) => {
      const { units, put } = start();
      units.fault = failing(['s1d0', 's1d1', 's1d2', 's1d3', 's1d4', 's1d5'].slice(0, failed));
      await expect(put(randomBytes(3_000_000))).rejects.toMatchObject({ code: 'ServiceUnavailable' });
      await expect(put(randomBytes(100))).rejects.toMatchObject({ code: 'ServiceUnavailable' });
      if (failed === 6) expect(units.unitCount).toBe(0);
    },
  );

  it('seed-0.16: the errors of one parity group do not count for another', async () => {
    const { units, put, get } = start();
    const order: string[] = [];
    units.fault = ({ operation, deviceId, unit }) => {
      if (operation !== 'write' || unit === undefined) return;
      if (!order.includes(unit.chunkId)) order.push(unit.chunkId);
      // One error in each group, on another device each time: three in all, of which a group affords one.
      if (deviceId === `s1d${order.indexOf(unit.chunkId)}`) throw new HoldfastError('UnitExists');
    };
    const body = randomBytes(3 * CHUNK);
    const { chunks } = await put(body);
    expect(chunks.map(shapeOf)).toEqual(['4+2', '4+2', '4+2']);
    expect((await get(chunks, body.length)).equals(body)).toBe(true);
  });

  it('sends a failed unit to a device of the set that holds none of the group, under the same chunk id', async () => {
    const { units, put, get } = start({ sets: [{ nodes: 4, devicesPerNode: 2 }] });
    units.fault = failing(['s1d2', 's1d5'], 'UnitExists');
    for (let round = 0; round < 4; round += 1) {
      const body = randomBytes(1_000_000);
      const { written, chunks } = await put(body);
      expect(written.degraded).toBe(false);
      const { chunkId, slots } = chunks[0].primary;
      expect(slots).not.toContain(2);
      expect(slots).not.toContain(5);
      const attempts = units.calls.splice(0).filter(({ operation }) => operation === 'write');
      expect(new Set(attempts.map(({ unit }) => unit?.chunkId))).toEqual(new Set([chunkId]));
      for (const [unitIndex, slot] of slots.entries())
        expect(units.unitsOn(`s1d${slot}`)).toContainEqual(expect.objectContaining({ chunkId, unitIndex }));
      expect((await get(chunks, body.length)).equals(body)).toBe(true);
    }
  });

  it('one data node of three is down: writes and reads go on', async () => {
    const { units, put, get } = start();
    units.fault = ({ nodeId }) => {
      if (nodeId === 's1n1') throw new HoldfastError('ServiceUnavailable');
    };
    const body = randomBytes(9_000_000);
    const { written, chunks } = await put(body);
    expect(chunks.map(shapeOf)).toEqual(['2+2', '2+2']);
    expect(written.degraded).toBe(true);
    expect((await get(chunks, body.length)).equals(body)).toBe(true);
  });

  it('2+1 with one device dead becomes 1+1 under a new chunk id, 1+1 with one dead is refused', async () => {
    const { units, put, get } = start({ sets: [{ nodes: 3, devicesPerNode: 1 }] });
    units.fault = failing(['s1d1'], 'UnitExists');
    const body = randomBytes(100_000);
    const { chunks, written } = await put(body, TWO_ONE);
    expect(chunks.map(shapeOf)).toEqual(['1+1']);
    expect(written.degraded).toBe(true);
    const attempts = new Set(
      units.calls.filter(({ operation }) => operation === 'write').map(({ unit }) => unit?.chunkId),
    );
    expect(attempts.size).toBe(2);
    expect((await get(chunks, body.length)).equals(body)).toBe(true);
    units.fault = failing(['s1d1', 's1d0'], 'UnitExists');
    await expect(put(body, TWO_ONE)).rejects.toMatchObject({ code: 'ServiceUnavailable' });
  });

  it('seed-0.22: devices that the map has failed get no message, and the layout shrinks to the rest', async () => {
    const { units, records, map, put, get } = start();
    for (const [failed, shape] of [
      [['s1d2', 's1d3'], '2+2'],
      [['s1d2', 's1d3', 's1d0', 's1d1'], '1+1'],
    ] as const) {
      records.map = withFailedDevices({ ...map, epoch: records.map.epoch }, failed);
      units.raiseEpoch(records.map.epoch);
      const warmUp = await put(randomBytes(10));
      expect(warmUp.written.epoch).toBe(records.map.epoch);
      units.calls.length = 0;
      const body = randomBytes(200_000);
      const { chunks } = await put(body);
      expect(chunks.map(shapeOf)).toEqual([shape]);
      expect((await get(chunks, body.length)).equals(body)).toBe(true);
      expect(units.calls.filter(({ deviceId }) => (failed as readonly string[]).includes(deviceId))).toEqual([]);
    }
  });

  it('does not try a dead device again until a probe has found it well', async () => {
    const { units, data, put } = start({}, { health: { firstProbeMs: 20, probeMsMax: 40 } });
    units.fault = failing(['s1d4']);
    await put(randomBytes(100_000));
    units.calls.length = 0;
    for (let round = 0; round < 5; round += 1) await put(randomBytes(100_000));
    expect(units.calls.filter(({ operation, deviceId }) => operation === 'write' && deviceId === 's1d4')).toEqual([]);
    units.fault = () => undefined;
    while (!data.health.allWell) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await put(randomBytes(100_000))).chunks.map(shapeOf)).toEqual(['4+2']);
    expect(units.calls.some(({ operation, deviceId }) => operation === 'write' && deviceId === 's1d4')).toBe(true);
  });
});

describe('epochs and deadlines', () => {
  it('a stale map is fetched again and the units repeated, unseen by the client', async () => {
    const { units, records, map, put } = start();
    await put(randomBytes(10));
    units.raiseEpoch(5n);
    // The metadata service itself lags a little behind the nodes.
    let looks = 0;
    records.fault = (method) => {
      if (method !== 'clusterMap') return;
      looks += 1;
      if (looks === 3) records.map = { ...map, epoch: 5n };
    };
    const { written } = await put(randomBytes(100_000));
    expect(written).toMatchObject({ epoch: 5n, degraded: false });
    expect(looks).toBe(3);
  });

  it('names the lowest epoch that units were written under', async () => {
    const { units, records, map, put } = start();
    await put(randomBytes(10));
    let writes = 0;
    units.fault = async ({ operation }) => {
      writes += operation === 'write' ? 1 : 0;
      if (writes !== 4) return;
      // The first three units are written by now, the others are refused and repeated.
      await new Promise((resolve) => setImmediate(resolve));
      units.raiseEpoch(2n);
      records.map = { ...map, epoch: 2n };
    };
    const { written } = await put(randomBytes(100_000));
    expect(writes).toBeGreaterThan(6);
    expect(written.epoch).toBe(1n);
  });

  it('ends with ServiceUnavailable when the time is over', async () => {
    const { data } = start();
    const target = { bucketId: 1n, homeSetId: 1, profile: FOUR_TWO, writeId: newId(), expectedBytes: 10 };
    await expect(data.objects.write(backgroundCall(0), target, bodyOf(randomBytes(10)))).rejects.toMatchObject({
      code: 'ServiceUnavailable',
    });
  });
});

describe('flow of one body', () => {
  it('seed-2.23: a chunk is done when all its units have settled, and at most two are in flight', async () => {
    const { units, put } = start();
    const open = new Map<string, number>();
    let mostOpen = 0;
    const begun: string[] = [];
    units.fault = async ({ operation, unit }) => {
      if (operation !== 'write' || unit === undefined) return;
      if (!begun.includes(unit.chunkId)) begun.push(unit.chunkId);
      open.set(unit.chunkId, (open.get(unit.chunkId) ?? 0) + 1);
      mostOpen = Math.max(mostOpen, open.size);
      await new Promise((resolve) => setTimeout(resolve, unit.unitIndex === 5 ? 30 : 1));
      const left = (open.get(unit.chunkId) ?? 0) - 1;
      if (left > 0) open.set(unit.chunkId, left);
      else open.delete(unit.chunkId);
    };
    const { chunks } = await put(randomBytes(4 * CHUNK));
    expect(open.size).toBe(0);
    expect(mostOpen).toBe(2);
    expect(chunks.map(({ primary }) => primary.chunkId)).toEqual(begun);
  });

  it('seed-3.8: every unit is durable before the write is answered', async () => {
    const { units, put } = start();
    for (const sizeBytes of [100, 3 * CHUNK + 5]) {
      const { chunks } = await put(randomBytes(sizeBytes));
      for (const { primary } of chunks) expect(countUnits(units, primary.chunkId)).toBe(primary.k + primary.m);
    }
  });

  it('seed-2.20: with memory for one chunk many writers proceed one by one, without deadlock', async () => {
    const { put, get } = start({}, { writerBufferBytes: 16 * MIB });
    const bodies = Array.from({ length: 6 }, () => randomBytes(2 * CHUNK + 1000));
    const written = await Promise.all(bodies.map((body) => put(body)));
    for (const [index, { chunks }] of written.entries())
      expect((await get(chunks, bodies[index].length)).equals(bodies[index])).toBe(true);
  });

  it.each([
    ['nothing', 0],
    ['too little for a chunk', 10_000],
    ['half a chunk', CHUNK / 2 + 17],
  ])('a body that stands still after %s gives its memory to others, and ends whole', async (_name, firstBytes) => {
    const { data, put, get } = start({}, { writerBufferBytes: 16 * MIB });
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const body = randomBytes(CHUNK + 100_000);
    const target = { bucketId: 1n, homeSetId: 1, profile: FOUR_TWO, writeId: newId(), expectedBytes: body.length };
    const slow = data.objects.write(
      call(),
      target,
      (async function* () {
        yield body.subarray(0, firstBytes);
        await held;
        for (let at = firstBytes; at < body.length; at += 65_000) yield body.subarray(at, at + 65_000);
      })(),
    );
    await new Promise((resolve) => setImmediate(resolve));
    const others = [randomBytes(CHUNK), randomBytes(CHUNK)];
    const written = await Promise.all(others.map((other) => put(other)));
    release();
    const last = await slow;
    expect((await get(decodeChunkList(last.chunks), body.length)).equals(body)).toBe(true);
    for (const [index, { chunks }] of written.entries())
      expect((await get(chunks, CHUNK)).equals(others[index])).toBe(true);
  });

  it('answers SlowDown when no buffer comes free in time', async () => {
    const { data, put } = start({}, { writerBufferBytes: 16 * MIB });
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const target = { bucketId: 1n, homeSetId: 1, profile: FOUR_TWO, writeId: newId(), expectedBytes: CHUNK };
    const slow = data.objects.write(
      call(),
      target,
      (async function* () {
        yield randomBytes(10);
        await held;
      })(),
    );
    await new Promise((resolve) => setImmediate(resolve));
    const refused = data.objects.write(backgroundCall(30), { ...target, writeId: newId() }, bodyOf(randomBytes(CHUNK)));
    await expect(refused).rejects.toMatchObject({ code: 'SlowDown' });
    release();
    await slow;
    await put(randomBytes(CHUNK));
  });

  it('emits steps 6 and 7 of an object creation', async () => {
    const { data, trace } = start();
    const creation = { ...call(), flow: 'object-creation' as const };
    const target = { bucketId: 1n, homeSetId: 1, profile: FOUR_TWO, writeId: newId() };
    await data.objects.write(creation, target, bodyOf(randomBytes(CHUNK + 1)));
    expect(trace.find(creation.requestId).map(({ step }) => step)).toEqual([6, 6, 7]);
    expect(trace.find(creation.requestId)[0].detail).toMatch(/^set 1 nodes s1n\d s1n\d s1n\d$/);
  });
});

function countUnits(units: InMemoryUnitStore, chunkId: string): number {
  const deviceIds = ['s1d0', 's1d1', 's1d2', 's1d3', 's1d4', 's1d5'];
  return deviceIds.flatMap((deviceId) => units.unitsOn(deviceId)).filter((unit) => unit.chunkId === chunkId).length;
}
