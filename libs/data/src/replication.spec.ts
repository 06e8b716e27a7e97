import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  backgroundCall,
  decodeChunkList,
  HoldfastError,
  LIMITS,
  newId,
  TraceLog,
  type Intent,
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
  withFailedDevices,
} from '@holdfast/testkit';
import { createDataService, type DataService } from './data-service.js';

configureLog({ service: 'test', level: 'error' });

const CHUNK = LIMITS.chunkBytesMax;
const PROFILE: RedundancyProfile = { k: 2, m: 1, secondary: true };
const call = () => backgroundCall(20_000);
const started: DataService[] = [];
// A busy machine is slow; no case is about time.
jest.setTimeout(60_000);
let nextIntent = 0n;

afterEach(async () => {
  for (const data of started.splice(0)) await data.stop();
});

function start() {
  const nodes = { nodes: 3, devicesPerNode: 1 };
  const map = clusterMapOf({ sets: [nodes, nodes, nodes] });
  const units = new InMemoryUnitStore(deviceIdsOf(map));
  const records = new InMemoryWriteRecords(map);
  const trace = new TraceLog('data');
  const data = createDataService({ units, metadata: records, trace });
  started.push(data);
  const put = async (body: Buffer, homeSetId = 1) => {
    const target = { bucketId: 4n, homeSetId, profile: PROFILE, writeId: newId() };
    const written = await data.objects.write(call(), target, bodyOf(body));
    records.commit(written, 4n, 'photos', PROFILE);
    return written;
  };
  const entriesOf = (writeId: string) => decodeChunkList(records.records.get(writeId)?.chunks ?? Buffer.from([1]));
  const unitsOfSet = (setId: number) =>
    deviceIdsOf(map)
      .filter((deviceId) => deviceId.startsWith(`s${setId}`))
      .flatMap((deviceId) => units.unitsOn(deviceId));
  return { map, units, records, trace, data, put, entriesOf, unitsOfSet };
}

function replicate(writeId: string): Extract<Intent, { kind: 'replicate' }> {
  nextIntent += 1n;
  return { kind: 'replicate', intentId: nextIntent, bucketId: 4n, writeId, requestId: 'ABCDEF0123456789' };
}

describe('replicate', () => {
  it('seed-3.9: copies each chunk to one other set under ids of its own, confirms, and emits step 10', async () => {
    const { units, trace, data, put, entriesOf, unitsOfSet } = start();
    const body = randomBytes(2 * CHUNK + 99);
    const { writeId } = await put(body);
    await data.intents.handle(call(), replicate(writeId));
    const entries = entriesOf(writeId);
    const copies = entries.map(({ secondary }) => secondary);
    expect(new Set(copies.map((copy) => copy?.setId)).size).toBe(1);
    expect(copies[0]?.setId).not.toBe(1);
    expect(unitsOfSet(copies[0]?.setId ?? 0).length).toBe(3 + 3 + 2);
    const primaries = entries.map(({ primary }) => primary.chunkId);
    expect(copies.some((copy) => primaries.includes(copy?.chunkId ?? ''))).toBe(false);
    // The secondary alone gives the same bytes.
    units.fault = ({ deviceId }) => {
      if (deviceId.startsWith('s1')) throw new HoldfastError('ServiceUnavailable');
    };
    const range = { chunks: entries, firstByte: 0, lastByte: body.length - 1 };
    expect((await collect(data.objects.read(call(), range))).equals(body)).toBe(true);
    expect(trace.find('ABCDEF0123456789').map(({ step, flow }) => [flow, step])).toContainEqual([
      'object-creation',
      10,
    ]);
  });

  it('seed-3.9: a redelivered intent writes nothing, and of two at once one copy stays', async () => {
    const { units, records, data, put, entriesOf } = start();
    const { writeId } = await put(randomBytes(CHUNK + 5));
    const intent = replicate(writeId);
    await data.intents.handle(call(), intent);
    const [before, entries] = [units.unitCount, entriesOf(writeId)];
    units.calls.length = 0;
    await data.intents.handle(call(), intent);
    expect(units.calls).toEqual([]);
    expect(records.confirmed).toEqual([intent.intentId, intent.intentId]);
    expect(entriesOf(writeId)).toEqual(entries);
    const second = await put(randomBytes(CHUNK + 5));
    const unitsOfOneCopy = before / 2;
    await Promise.all([1, 2, 3].map(() => data.intents.handle(call(), replicate(second.writeId))));
    expect(units.unitCount).toBe(before + 2 * unitsOfOneCopy);
    const kept = entriesOf(second.writeId).map(({ secondary }) => secondary?.chunkId);
    const present = deviceIdsOf(records.map)
      .flatMap((id) => units.unitsOn(id))
      .map(({ chunkId }) => chunkId);
    expect(kept.every((chunkId) => present.includes(chunkId ?? ''))).toBe(true);
  });

  it('seed-3.9: the answer to a write does not wait for its copy', async () => {
    const { put, unitsOfSet } = start();
    await put(randomBytes(100));
    expect(unitsOfSet(2).length + unitsOfSet(3).length).toBe(0);
  });

  it('confirms and copies nothing when the write is gone, or wants no copy', async () => {
    const { units, records, data, put } = start();
    const { writeId } = await put(randomBytes(1000));
    const record = records.records.get(writeId);
    records.records.delete(writeId);
    units.calls.length = 0;
    const gone = replicate(writeId);
    await data.intents.handle(call(), gone);
    if (record !== undefined) records.records.set(writeId, { ...record, profile: { ...PROFILE, secondary: false } });
    const unwanted = replicate(writeId);
    await data.intents.handle(call(), unwanted);
    expect(records.confirmed).toEqual([gone.intentId, unwanted.intentId]);
    expect(units.calls).toEqual([]);
  });

  it('frees the copy of a write that went away meanwhile', async () => {
    const { units, records, data, put } = start();
    const { writeId } = await put(randomBytes(100_000));
    const before = units.unitCount;
    units.fault = ({ deviceId, operation }) => {
      if (operation === 'write' && !deviceId.startsWith('s1')) records.records.delete(writeId);
    };
    await data.intents.handle(call(), replicate(writeId));
    expect(units.unitCount).toBe(before);
  });

  it('a copy that was confirmed too late is freed and asked for again', async () => {
    const { units, records, data, put, entriesOf } = start();
    const { writeId } = await put(randomBytes(100_000));
    const before = units.unitCount;
    records.nextConfirm = 'late';
    await expect(data.intents.handle(call(), replicate(writeId))).rejects.toMatchObject({ code: 'LateWrite' });
    expect(units.unitCount).toBe(before);
    await data.intents.handle(call(), replicate(writeId));
    expect(entriesOf(writeId)[0].secondary).toBeDefined();
  });

  it('seed-3.10: is delivered again when the other sets cannot be written, and succeeds when they are back', async () => {
    const { units, records, data, put, entriesOf } = start();
    const { writeId } = await put(randomBytes(100_000));
    units.fault = ({ deviceId, operation }) => {
      if (operation === 'write' && !deviceId.startsWith('s1')) throw new HoldfastError('UnitExists');
    };
    await expect(data.intents.handle(call(), replicate(writeId))).rejects.toMatchObject({ code: 'ServiceUnavailable' });
    expect(records.confirmed).toEqual([]);
    units.fault = () => undefined;
    await data.intents.handle(call(), replicate(writeId));
    expect(entriesOf(writeId)[0].secondary).toBeDefined();
  });
});

describe('free', () => {
  const free = (chunks: Buffer, writeId: string): Intent => {
    nextIntent += 1n;
    return { kind: 'free', intentId: nextIntent, bucketId: 4n, writeId, chunks };
  };

  it('frees the units of both copies, and again without harm', async () => {
    const { records, data, put, unitsOfSet } = start();
    const other = await put(randomBytes(1000));
    const { writeId } = await put(randomBytes(CHUNK + 5));
    await data.intents.handle(call(), replicate(writeId));
    const chunks = records.records.get(writeId)?.chunks ?? Buffer.alloc(0);
    const intent = free(chunks, writeId);
    await data.intents.handle(call(), intent);
    await data.intents.handle(call(), intent);
    expect(new Set(unitsOfSet(1).map((unit) => unit.writeId))).toEqual(new Set([other.writeId]));
    expect(unitsOfSet(2).length + unitsOfSet(3).length).toBe(0);
    expect(records.confirmed.filter((id) => id === intent.intentId).length).toBe(2);
  });

  it('is not confirmed while a device cannot be asked, unless the map has given it up', async () => {
    const { map, units, records, data, put } = start();
    const { writeId, chunks } = await put(randomBytes(100_000));
    records.records.delete(writeId);
    const intent = free(chunks, writeId);
    units.fault = ({ deviceId, operation }) => {
      if (operation === 'free' && deviceId === 's1d1') throw new HoldfastError('ServiceUnavailable');
    };
    await expect(data.intents.handle(call(), intent)).rejects.toMatchObject({ code: 'ServiceUnavailable' });
    expect(records.confirmed).toEqual([]);
    // The others have been freed already.
    expect(units.unitCount).toBe(1);
    records.map = withFailedDevices(map, ['s1d1']);
    await data.maps.newerThan(call(), map.epoch);
    await data.intents.handle(call(), intent);
    expect(records.confirmed).toEqual([intent.intentId]);
  });
});
