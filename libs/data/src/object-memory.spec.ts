import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { MIB } from '@holdfast/stdx';
import {
  backgroundCall,
  newId,
  TraceLog,
  UnitStore,
  type CallContext,
  type DeviceLocation,
  type DeviceStatus,
  type ListedUnit,
  type UnitHeader,
  type UnitReceipt,
} from '@holdfast/contracts';
import { clusterMapOf, InMemoryWriteRecords } from '@holdfast/testkit';
import { createDataService, type DataService } from './data-service.js';

/** Takes units at the pace of a slow device and forgets them, counting what is durable. */
class ForgettingUnitStore extends UnitStore {
  durableBytes = 0;
  override async write(
    _call: CallContext,
    _device: DeviceLocation,
    header: UnitHeader,
    epoch: bigint,
    pull: () => AsyncIterable<Buffer>,
  ): Promise<UnitReceipt> {
    let pulledBytes = 0;
    for await (const piece of pull()) pulledBytes += piece.length;
    expect(pulledBytes).toBe(header.unitSizeBytes);
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (header.unitIndex < header.k) this.durableBytes += pulledBytes;
    return { epoch, deviceGeneration: 1 };
  }
  override async read(): Promise<undefined> {
    return undefined;
  }
  override async free(): Promise<void> {}
  override async list(): Promise<ListedUnit[]> {
    return [];
  }
  override async status(_call: CallContext, { deviceId }: DeviceLocation): Promise<DeviceStatus> {
    return { deviceId, state: 'live', capacityBytes: 1, freeBytes: 1, unitCount: 0 };
  }
}

const PIECE = Buffer.alloc(64 * 1024, 7);
const started: DataService[] = [];
// A busy machine is slow; no case is about time.
jest.setTimeout(60_000);

afterEach(async () => {
  for (const data of started.splice(0)) await data.stop();
});

describe('memory of writers', () => {
  it.each([
    [1, 256 * MIB],
    [32, 16 * MIB],
  ])('seed-2.1: %i bodies of %i bytes at once stay within the writers buffers', async (bodies, sizeBytes) => {
    const budgetBytes = 64 * MIB;
    const units = new ForgettingUnitStore();
    const map = clusterMapOf({ sets: [{ nodes: 3, devicesPerNode: 2 }] });
    const metadata = new InMemoryWriteRecords(map);
    const options = { units, metadata, trace: new TraceLog('data'), writerBufferBytes: budgetBytes };
    const data = createDataService(options);
    started.push(data);
    let takenBytes = 0;
    let mostAheadBytes = 0;
    let mostResidentBytes = 0;
    const body = async function* (): AsyncIterable<Buffer> {
      for (let given = 0; given < sizeBytes; given += PIECE.length) {
        takenBytes += PIECE.length;
        mostAheadBytes = Math.max(mostAheadBytes, takenBytes - units.durableBytes);
        if (given % MIB === 0) {
          mostResidentBytes = Math.max(mostResidentBytes, process.memoryUsage.rss());
          await new Promise((resolve) => setImmediate(resolve));
        }
        yield PIECE;
      }
    };
    const before = process.memoryUsage.rss();
    const profile = { k: 4, m: 2, secondary: false };
    const writes = Array.from({ length: bodies }, () => {
      const target = { bucketId: 1n, homeSetId: 1, profile, writeId: newId(), expectedBytes: sizeBytes };
      return data.objects.write(backgroundCall(60_000), target, body());
    });
    for (const written of await Promise.all(writes)) expect(written.sizeBytes).toBe(sizeBytes);
    expect(units.durableBytes).toBe(bodies * sizeBytes);
    // The source is read no further than there are buffers: a body whose buffer is not there is not read at all.
    expect(mostAheadBytes).toBeLessThanOrEqual(budgetBytes + bodies * PIECE.length);
    expect(mostResidentBytes - before).toBeLessThan(2 * budgetBytes);
  });
});
