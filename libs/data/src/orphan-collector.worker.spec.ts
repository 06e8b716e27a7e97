import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { ManualClock } from '@holdfast/stdx';
import {
  backgroundCall,
  decodeChunkList,
  HoldfastError,
  newId,
  TraceLog,
  type Intent,
  type RedundancyProfile,
} from '@holdfast/contracts';
import { configureLog } from '@holdfast/service-host';
import { bodyOf, clusterMapOf, deviceIdsOf, InMemoryUnitStore, InMemoryWriteRecords } from '@holdfast/testkit';
import { createDataService, type DataService } from './data-service.js';

configureLog({ service: 'test', level: 'error' });

const PROFILE: RedundancyProfile = { k: 2, m: 1, secondary: true };
const HOUR_MS = 3_600_000;
const call = () => backgroundCall(20_000);
const started: DataService[] = [];
// A busy machine is slow; no case is about time.
jest.setTimeout(60_000);

afterEach(async () => {
  for (const data of started.splice(0)) await data.stop();
});

function start() {
  const map = clusterMapOf({
    sets: [
      { nodes: 3, devicesPerNode: 1 },
      { nodes: 3, devicesPerNode: 1 },
    ],
  });
  const clock = new ManualClock();
  const units = new InMemoryUnitStore(deviceIdsOf(map), 'in-memory', clock);
  const records = new InMemoryWriteRecords(map);
  const data = createDataService({ units, metadata: records, trace: new TraceLog('data') });
  started.push(data);
  const put = async (sizeBytes: number, commit: boolean) => {
    const target = { bucketId: 4n, homeSetId: 1, profile: PROFILE, writeId: newId() };
    const written = await data.objects.write(call(), target, bodyOf(randomBytes(sizeBytes)));
    if (commit) records.commit(written, 4n, 'photos', PROFILE);
    return written;
  };
  return { units, records, clock, data, put, collector: data.collector };
}

describe('orphan collector', () => {
  it('seed-3.11: frees what no record names once it is older than the grace, and keeps the rest', async () => {
    const { units, clock, put, collector } = start();
    await put(100_000, true);
    await put(50, true);
    const kept = units.unitCount;
    await put(200_000, false);
    await put(60, false);
    const all = units.unitCount;
    clock.advance(HOUR_MS - 1);
    expect(await collector.runOnce()).toMatchObject({ looked: 0, freed: 0 });
    expect(units.unitCount).toBe(all);
    clock.advance(2);
    expect(await collector.runOnce()).toEqual({ looked: all, kept, freed: all - kept, skipped: 0, reasons: [] });
    expect(units.unitCount).toBe(kept);
    expect(collector.state.lastResult).toMatchObject({ freed: all - kept });
  });

  it('keeps the units of a confirmed copy', async () => {
    const { units, clock, data, put, collector } = start();
    const { writeId } = await put(100_000, true);
    const intent: Intent = { kind: 'replicate', intentId: 1n, bucketId: 4n, writeId, requestId: 'AB' };
    await data.intents.handle(call(), intent);
    clock.advance(HOUR_MS + 1);
    expect(await collector.runOnce()).toMatchObject({ looked: 6, kept: 6, freed: 0 });
    expect(units.unitCount).toBe(6);
  });

  it('frees a unit on a device that the record does not name for its index, also of a live chunk', async () => {
    const { units, records, clock, put, collector } = start();
    const { writeId } = await put(100_000, true);
    const record = records.records.get(writeId);
    const [entry] = decodeChunkList(record?.chunks ?? Buffer.alloc(0));
    const { chunkId, slots } = entry.primary;
    const found = units.unitsOn(`s1d${slots[0]}`)[0];
    // A unit that was also written elsewhere before its place was settled, and one of an attempt that was given up.
    const pull = () => bodyOf(randomBytes(found.unitSizeBytes));
    const place = (deviceId: string) => ({ deviceId, nodeId: 'n', address: '' });
    await units.write(call(), place(`s1d${slots[1]}`), found, 1n, pull);
    await units.write(call(), place(`s1d${slots[0]}`), { ...found, chunkId: newId() }, 1n, pull);
    await units.write(call(), place('s2d0'), found, 1n, pull);
    clock.advance(HOUR_MS + 1);
    expect(await collector.runOnce()).toMatchObject({ looked: 6, kept: 3, freed: 3 });
    for (const [unitIndex, slot] of slots.entries())
      expect(units.unitsOn(`s1d${slot}`)).toEqual([expect.objectContaining({ chunkId, unitIndex })]);
  });

  it('takes no error for absence: whatever fails, nothing is freed', async () => {
    const { units, records, clock, put, collector } = start();
    await put(100_000, false);
    const { writeId } = await put(100_000, true);
    clock.advance(HOUR_MS + 1);
    const all = units.unitCount;
    records.fault = (method) => {
      if (method === 'liveWrites') throw new HoldfastError('ServiceUnavailable');
    };
    expect(await collector.runOnce()).toMatchObject({ freed: 0, skipped: 3 });
    records.fault = () => undefined;
    // A database that answers for another cluster, and a record that does not decode.
    const identity = records.databaseIdentity.bind(records);
    records.databaseIdentity = async () => ({ ...(await identity()), clusterId: 'another' });
    expect(await collector.runOnce()).toMatchObject({ freed: 0, skipped: 3 });
    records.databaseIdentity = identity;
    const record = records.records.get(writeId);
    if (record !== undefined) records.records.set(writeId, { ...record, chunks: Buffer.from([9, 9]) });
    expect(await collector.runOnce()).toMatchObject({ freed: 0, skipped: 3 });
    units.fault = ({ operation }) => {
      if (operation === 'list') throw new HoldfastError('ServiceUnavailable');
    };
    expect(await collector.runOnce()).toMatchObject({ looked: 0, freed: 0, skipped: 6 });
    expect(units.unitCount).toBe(all);
  });

  it('goes through any number of units page by page, and past a device that cannot be asked', async () => {
    const { units, clock, put, collector } = start();
    const written = await put(50, false);
    const [{ primary }] = decodeChunkList(written.chunks);
    const header = units.unitsOn(`s1d${primary.slots[0]}`)[0];
    const place = { deviceId: 's1d0', nodeId: 'n', address: '' };
    for (let index = 0; index < 1203; index += 1) {
      const one = { ...header, chunkId: newId(), writeId: newId() };
      await units.write(call(), place, one, 1n, () => bodyOf(randomBytes(50)));
    }
    clock.advance(HOUR_MS + 1);
    units.fault = ({ operation, deviceId }) => {
      if (operation === 'list' && deviceId === 's1d1') throw new HoldfastError('ServiceUnavailable');
    };
    collector.unitsPerSecond = 1_000_000;
    const result = await collector.runOnce();
    expect(result).toMatchObject({ skipped: 1 });
    expect(result.reasons).toEqual([expect.stringContaining('s1d1')]);
    expect(units.unitsOn('s1d0')).toEqual([]);
  });
});
