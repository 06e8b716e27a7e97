/** The units of one chunk on their way to their devices. */
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { KIB } from '@holdfast/stdx';
import {
  backgroundCall,
  decodeChunkList,
  HoldfastError,
  LIMITS,
  newId,
  TraceLog,
  type ChunkEntry,
  type UnitReceipt,
} from '@holdfast/contracts';
import { ReedSolomon, splitChunk, storedUnitSize } from '@holdfast/erasure';
import { configureLog } from '@holdfast/service-host';
import { bodyOf, clusterMapOf, collect, deviceIdsOf, InMemoryUnitStore, InMemoryWriteRecords } from '@holdfast/testkit';
import { createDataService, type DataService } from './data-service.js';

configureLog({ service: 'test', level: 'error' });

const call = () => backgroundCall(20_000);
const started: DataService[] = [];

afterEach(async () => {
  for (const data of started.splice(0)) await data.stop();
});

/** Answers with the epochs that it is told. */
class EpochUnitStore extends InMemoryUnitStore {
  epochOf: ((unitIndex: number) => bigint) | undefined;
  override async write(...parts: Parameters<InMemoryUnitStore['write']>): Promise<UnitReceipt> {
    const receipt = await super.write(...parts);
    return { ...receipt, epoch: this.epochOf?.(parts[2].unitIndex) ?? receipt.epoch };
  }
}

/** A set of nodes with two devices each, and writes of 4+2. */
function start(nodes = 3) {
  const map = clusterMapOf({ sets: [{ nodes, devicesPerNode: 2 }] });
  const units = new EpochUnitStore(deviceIdsOf(map));
  const data = createDataService({ units, metadata: new InMemoryWriteRecords(map), trace: new TraceLog('data') });
  started.push(data);
  const put = async (body: Buffer) => {
    const profile = { k: 4, m: 2, secondary: false };
    const target = { bucketId: 1n, homeSetId: 1, profile, writeId: newId(), expectedBytes: body.length };
    const written = await data.objects.write(call(), target, bodyOf(body));
    return { written, chunks: decodeChunkList(written.chunks) };
  };
  const get = (chunks: readonly ChunkEntry[], sizeBytes: number) =>
    collect(data.objects.read(call(), { chunks, firstByte: 0, lastByte: sizeBytes - 1 }));
  /** Where each unit of the chunk lies, as `device/index`. */
  const heldOf = (chunkId: string): string[] =>
    deviceIdsOf(map).flatMap((deviceId) =>
      units
        .unitsOn(deviceId)
        .filter((unit) => unit.chunkId === chunkId)
        .map(({ unitIndex }) => `${deviceId}/${unitIndex}`),
    );
  const recorded = ({ primary }: ChunkEntry): string[] => primary.slots.map((slot, index) => `s1d${slot}/${index}`);
  const bytesAt = async (place: string, { primary, sizeBytes }: ChunkEntry): Promise<Buffer | undefined> => {
    const [deviceId, index] = place.split('/');
    const unit = { chunkId: primary.chunkId, unitIndex: Number(index) };
    const length = storedUnitSize(sizeBytes, primary.k, unit.unitIndex);
    return (await units.read(call(), { deviceId, nodeId: '', address: '' }, unit, 0, length))?.bytes;
  };
  const writesOf = (chunkId: string) =>
    units.calls.filter(({ operation, unit }) => operation === 'write' && unit?.chunkId === chunkId);
  return { units, put, get, heldOf, recorded, bytesAt, writesOf };
}

/** The units of a chunk by the definition of the code. */
function unitsOf(chunk: Buffer): Buffer[] {
  const data = splitChunk(chunk, 4).units;
  const parity = [0, 1].map(() => Buffer.alloc(storedUnitSize(chunk.length, 4, 4)));
  new ReedSolomon(4, 2).encode(data, parity);
  return [...data, ...parity];
}

describe('units of a group', () => {
  it('seed-2.4: each device gets exactly the unit that the record names for it, and no other device any', async () => {
    const { put, heldOf, recorded, bytesAt } = start(4);
    for (let round = 0; round < 4; round += 1) {
      const body = randomBytes(LIMITS.chunkBytesMax + 300 * KIB + round);
      const { chunks } = await put(body);
      expect(chunks).toHaveLength(2);
      let from = 0;
      for (const chunk of chunks) {
        expect(heldOf(chunk.primary.chunkId).sort()).toEqual(recorded(chunk).sort());
        const expected = unitsOf(body.subarray(from, from + chunk.sizeBytes));
        for (const [index, place] of recorded(chunk).entries())
          expect((await bytesAt(place, chunk))?.equals(expected[index])).toBe(true);
        from += chunk.sizeBytes;
      }
    }
  });

  it('seed-2.6: devices work at the same time and answer in any order: the same units, one answer when all are done', async () => {
    const { units, put, get, heldOf, recorded } = start();
    for (const order of [
      [0, 1, 2, 3, 4, 5],
      [5, 4, 3, 2, 1, 0],
      [3, 0, 5, 1, 4, 2],
    ]) {
      const waiting = new Map<number, () => void>();
      let isAnswered = false;
      units.fault = async ({ operation, unit }) => {
        if (operation !== 'write' || unit === undefined) return;
        await new Promise<void>((resolve) => waiting.set(unit.unitIndex, resolve));
      };
      // Each unit names another epoch: the lowest counts, whoever answers last.
      units.epochOf = (unitIndex) => (unitIndex === 2 ? 1n : 7n);
      const body = randomBytes(200_000);
      const writing = put(body).finally(() => (isAnswered = true));
      while (waiting.size < 6) await new Promise((resolve) => setImmediate(resolve));
      for (const unitIndex of order) {
        expect(isAnswered).toBe(false);
        waiting.get(unitIndex)?.();
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { written, chunks } = await writing;
      expect(written).toMatchObject({ epoch: 1n, degraded: false });
      expect(heldOf(chunks[0].primary.chunkId).sort()).toEqual(recorded(chunks[0]).sort());
      units.fault = () => undefined;
      expect((await get(chunks, body.length)).equals(body)).toBe(true);
    }
  });

  it('seed-2.7: a device that fails takes nothing back from the others: each has written its unit once and keeps it', async () => {
    for (const nodes of [3, 4]) {
      const { units, put, get, heldOf, recorded, writesOf } = start(nodes);
      let failed: string | undefined;
      units.fault = async ({ operation, deviceId, unit }) => {
        if (operation !== 'write') return;
        if (unit?.unitIndex === 1) failed ??= deviceId;
        if (deviceId === failed) throw new HoldfastError('DeviceDead');
        await new Promise((resolve) => setImmediate(resolve));
      };
      const body = randomBytes(200_000);
      const { written, chunks } = await put(body);
      const [{ primary }] = chunks;
      // Of three nodes there is no other device; of four the unit goes to one.
      expect(written.degraded).toBe(nodes === 3);
      expect(primary).toMatchObject({ k: 4, m: 2 });
      const expected = recorded(chunks[0]).filter((place) => nodes === 4 || !place.endsWith('/1'));
      expect(heldOf(primary.chunkId).sort()).toEqual(expected.sort());
      for (const unitIndex of [0, 2, 3, 4, 5])
        expect(writesOf(primary.chunkId).filter(({ unit }) => unit?.unitIndex === unitIndex)).toHaveLength(1);
      expect(units.calls.filter(({ operation }) => operation === 'free')).toEqual([]);
      units.fault = () => undefined;
      expect((await get(chunks, body.length)).equals(body)).toBe(true);
    }
  });
});
