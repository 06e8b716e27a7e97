import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  backgroundCall,
  LIMITS,
  newId,
  type DatabaseIdentity,
  type DeviceLocation,
  type UnitHeader,
  type UnitStore,
} from '@holdfast/contracts';

/** What the contract of `UnitStore` is held against. */
export interface UnitStoreUnderTest {
  readonly units: UnitStore;
  /** A live device of at least 64 MiB. */
  readonly device: DeviceLocation;
  /** Cluster that the device belongs to. */
  readonly clusterId: string;
  close(): Promise<void>;
}

const call = () => backgroundCall(20_000);
const EPOCH = 7n;

/** A unit of a chunk of copies, or one of many. */
export function unitHeader(sizeBytes: number, over: Partial<UnitHeader> = {}): UnitHeader {
  const shape = { k: 1, m: 1, unitIndex: 0, chunkSizeBytes: sizeBytes, unitSizeBytes: sizeBytes };
  return { chunkId: newId(), bucketId: 12n, writeId: newId(), ...shape, ...over };
}

async function* piecesOf(bytes: Buffer, pieceBytes = 60_000): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** Cases that every adapter of `UnitStore` passes. */
export function unitStoreContract(name: string, start: () => Promise<UnitStoreUnderTest>): void {
  // A busy machine flushes slowly; no case is about time.
  jest.setTimeout(60_000);
  describe(`UnitStore contract: ${name}`, () => {
    let under: UnitStoreUnderTest;
    let sequence = 1n;
    const database = (over: Partial<DatabaseIdentity> = {}): DatabaseIdentity => {
      sequence += 1n;
      return { clusterId: under.clusterId, generation: 1, sequence, ...over };
    };
    const put = (header: UnitHeader, bytes: Buffer, epoch = EPOCH) =>
      under.units.write(call(), under.device, header, epoch, () => piecesOf(bytes));
    const get = (header: UnitHeader, offset = 0, length = header.unitSizeBytes) =>
      under.units.read(call(), under.device, header, offset, length);

    beforeAll(async () => {
      under = await start();
    });
    afterAll(async () => {
      await under.close();
    });

    it('seed-2.4: gives back a unit of any size with the header it was written with', async () => {
      const inlineMax = LIMITS.inlineUnitBytesMax;
      for (const sizeBytes of [0, 1, 4095, 4096, 4097, inlineMax, inlineMax + 1, 1_000_003, 8 * 1024 * 1024]) {
        const bytes = randomBytes(sizeBytes);
        const header = unitHeader(sizeBytes);
        expect(await put(header, bytes)).toEqual({ epoch: EPOCH, deviceGeneration: 1 });
        const found = await get(header);
        expect(found?.header).toMatchObject({ ...header });
        expect(found?.bytes.equals(bytes)).toBe(true);
      }
    });

    it('seed-2.4: units of one chunk are told apart by their index', async () => {
      const chunkId = newId();
      const units = [3, 0, 2].map((unitIndex) => ({
        header: unitHeader(6000, { chunkId, k: 1, m: 3, unitIndex }),
        bytes: randomBytes(6000),
      }));
      for (const { header, bytes } of units) await put(header, bytes);
      for (const { header, bytes } of units) {
        const found = await get(header);
        expect(found?.header).toMatchObject({ ...header });
        expect(found?.bytes.equals(bytes)).toBe(true);
      }
      expect(await get({ ...units[0].header, unitIndex: 1 })).toBeUndefined();
      await under.units.free(call(), under.device, [{ chunkId, unitIndex: 0 }], database());
      expect(await Promise.all(units.map(async ({ header }) => (await get(header)) !== undefined))).toEqual([
        true,
        false,
        true,
      ]);
    });

    it('seed-2.27: gives the range asked for, cut at the end of the unit', async () => {
      const bytes = randomBytes(200_001);
      const header = unitHeader(bytes.length);
      await put(header, bytes);
      for (const [offset, length] of [
        [0, 1],
        [65_535, 2],
        [100_000, 100_001],
        [200_000, 1],
      ]) {
        expect((await get(header, offset, length))?.bytes.equals(bytes.subarray(offset, offset + length))).toBe(true);
      }
      expect((await get(header, 200_000, 50))?.bytes.length).toBe(1);
    });

    it('answers that a unit is not here, which is not an error', async () => {
      const header = unitHeader(10);
      expect(await get(header)).toBeUndefined();
      await put(header, randomBytes(10));
      expect(await get({ ...header, unitIndex: 1 })).toBeUndefined();
    });

    it('takes equal bytes again as no change, and other bytes not at all', async () => {
      for (const sizeBytes of [100, 100_000]) {
        const bytes = randomBytes(sizeBytes);
        const header = unitHeader(sizeBytes);
        await put(header, bytes);
        await put(header, bytes);
        await expect(put(header, randomBytes(sizeBytes))).rejects.toMatchObject({ code: 'UnitExists' });
        await expect(put({ ...header, writeId: newId() }, bytes)).rejects.toMatchObject({ code: 'UnitExists' });
        expect((await get(header))?.bytes.equals(bytes)).toBe(true);
      }
    });

    it('seed-2.18: asks for the bytes of a large unit only after it has admitted it', async () => {
      const header = unitHeader(1_000_000);
      let pulls = 0;
      const pull = () => {
        pulls += 1;
        return piecesOf(randomBytes(header.unitSizeBytes));
      };
      await under.units.write(call(), under.device, unitHeader(1), EPOCH, () => piecesOf(randomBytes(1)));
      await expect(under.units.write(call(), under.device, header, EPOCH - 1n, pull)).rejects.toMatchObject({
        code: 'StaleEpoch',
      });
      expect(pulls).toBe(0);
      await under.units.write(call(), under.device, header, EPOCH, pull);
      expect(pulls).toBe(1);
    });

    it('seed-2.19: records nothing of a transfer that ends early, goes on too long or breaks off', async () => {
      for (const sizeBytes of [5000, 500_000]) {
        for (const givenBytes of [0, sizeBytes - 1, sizeBytes + 1]) {
          const header = unitHeader(sizeBytes);
          await expect(put(header, randomBytes(givenBytes))).rejects.toMatchObject({ code: 'IncompleteBody' });
          expect(await get(header)).toBeUndefined();
        }
        const header = unitHeader(sizeBytes);
        const breaking = async function* (): AsyncIterable<Buffer> {
          yield randomBytes(sizeBytes - 1);
          throw new Error('the source is gone');
        };
        await expect(under.units.write(call(), under.device, header, EPOCH, breaking)).rejects.toThrow();
        expect(await get(header)).toBeUndefined();
        const bytes = randomBytes(sizeBytes);
        await put(header, bytes);
        expect((await get(header))?.bytes.equals(bytes)).toBe(true);
      }
    });

    it('refuses a caller with an older map, and a write whose time is over', async () => {
      await put(unitHeader(5), randomBytes(5), EPOCH);
      await expect(put(unitHeader(5), randomBytes(5), EPOCH - 1n)).rejects.toMatchObject({ code: 'StaleEpoch' });
      const late = unitHeader(5);
      const write = under.units.write(backgroundCall(0), under.device, late, EPOCH, () => piecesOf(randomBytes(5)));
      await expect(write).rejects.toMatchObject({ status: 503 });
      expect(await get(late)).toBeUndefined();
    });

    it('seed-2.25: refuses every call for a device that it does not own, and asks for no byte', async () => {
      const foreign = { ...under.device, deviceId: '00000000-0000-4000-8000-00000000dead' };
      const own = unitHeader(5);
      await put(own, randomBytes(5));
      const before = await under.units.status(call(), under.device);
      let pulls = 0;
      const pull = () => {
        pulls += 1;
        return piecesOf(randomBytes(50_000));
      };
      for (const refused of [
        () => under.units.write(call(), foreign, unitHeader(50_000), EPOCH, pull),
        () => under.units.read(call(), foreign, own, 0, 5),
        () => under.units.free(call(), foreign, [own], database()),
        () => under.units.list(call(), foreign, { limit: 5, minimumAgeMs: 0 }),
        () => under.units.status(call(), foreign),
      ])
        await expect(refused()).rejects.toMatchObject({ code: 'ServiceUnavailable' });
      expect(pulls).toBe(0);
      expect(await under.units.status(call(), under.device)).toEqual(before);
      expect(await get(own)).toBeDefined();
    });

    it('frees units for its own database only; absent ones count as freed', async () => {
      const [kept, freed] = [unitHeader(100), unitHeader(70_000)];
      await put(kept, randomBytes(100));
      await put(freed, randomBytes(70_000));
      const foreign = database({ clusterId: '00000000-0000-4000-8000-0000000f0e19' });
      await expect(under.units.free(call(), under.device, [freed], foreign)).rejects.toMatchObject({
        code: 'ForeignDatabase',
      });
      expect(await get(freed)).toBeDefined();
      await under.units.free(call(), under.device, [freed, unitHeader(1)], database());
      expect(await get(freed)).toBeUndefined();
      expect(await get(kept)).toBeDefined();
      await expect(under.units.free(call(), under.device, [kept], database({ sequence: 1n }))).rejects.toMatchObject({
        code: 'ForeignDatabase',
      });
      expect(await get(kept)).toBeDefined();
    });

    it('lists units by chunk and index, page by page, and none that are too young', async () => {
      const chunkId = `ffff${newId().slice(4)}`;
      const headers = [2, 0, 3, 1].map((unitIndex) => unitHeader(10, { chunkId, m: 3, unitIndex }));
      for (const header of headers) await put(header, randomBytes(10));
      await new Promise((resolve) => setTimeout(resolve, 5));
      const after = { chunkId: `fffe${chunkId.slice(4)}`, unitIndex: 0 };
      const first = await under.units.list(call(), under.device, { after, limit: 3, minimumAgeMs: 0 });
      expect(first.map(({ unitIndex }) => unitIndex)).toEqual([0, 1, 2]);
      expect(first[0]).toMatchObject({ ...headers[1], writtenAtMs: expect.any(Number) });
      const rest = await under.units.list(call(), under.device, { after: first[2], limit: 3, minimumAgeMs: 0 });
      expect(rest.map(({ unitIndex }) => unitIndex)).toEqual([3]);
      expect(await under.units.list(call(), under.device, { after, limit: 3, minimumAgeMs: 3_600_000 })).toEqual([]);
    });

    it('says how its device is', async () => {
      const before = await under.units.status(call(), under.device);
      expect(before).toMatchObject({ deviceId: under.device.deviceId, state: 'live' });
      await put(unitHeader(10), randomBytes(10));
      const after = await under.units.status(call(), under.device);
      expect(after.unitCount).toBe(before.unitCount + 1);
      expect(after.capacityBytes).toBeGreaterThan(after.freeBytes);
    });
  });
}
