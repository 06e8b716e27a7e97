import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES, KIB, MIB } from '@holdfast/stdx';
import { SimulatedDevice } from '../device/simulated-device.js';
import { layoutOf } from '../format/device-layout.js';
import { decodeRecords } from '../log/log-record.codec.js';
import { BTree, EMPTY_ROOT, missing } from '../tree/b-tree.js';
import { PageStore } from '../tree/page-store.js';
import { SEGMENT_BYTES, bytesOf, formattedImage, headerOf, openImage, put } from '../testing/store-fixture.js';
import { readUnit } from './unit-reader.js';
import { LogUnits } from './log-units.js';
import { UnitTable } from './unit-table.js';
import { unitKeyBytes, type MappedExtent } from './unit-record.codec.js';
import { pieceChecksum, unitSeed } from './unit-checksums.js';

const layout = layoutOf({ capacityBytes: 4 * MIB, segmentBytes: 64 * KIB, pageCount: 256, isPair: false });
const header = headerOf(1, 5 * BLOCK_BYTES - 100);
const key = unitKeyBytes(header);
const bytes = randomBytes(header.unitSizeBytes);

function emptyTable(): UnitTable {
  const options = { path: 'sim', layout, deviceIdBytes: randomBytes(16), cachePagesMax: 256, epoch: 1 };
  const pages = new PageStore(new SimulatedDevice(Buffer.alloc(0)), options);
  return new UnitTable(new BTree(pages, 1, EMPTY_ROOT), new BTree(pages, 2, EMPTY_ROOT), new LogUnits(Buffer.alloc(0)));
}

/** An extent of the unit at this offset, with the checksum of what belongs there. */
function extentAt(offset: number, start: number, blocks: number): MappedExtent {
  const part = bytes.subarray(offset, offset + blocks * BLOCK_BYTES);
  return { offset, start, blocks, checksums: [pieceChecksum(unitSeed(key), offset, part)] };
}

const EXTENTS = [extentAt(0, 40, 2), extentAt(2 * BLOCK_BYTES, 10, 1), extentAt(3 * BLOCK_BYTES, 70, 2)];

describe('unit table', () => {
  it('seed-2.14: the extents of a unit stand by offset, from its beginning to its end, whatever lies beside it', () => {
    const table = emptyTable();
    const { chunkId } = header;
    // The units of the same chunk beside it, and another chunk.
    const others = [
      headerOf(2, 100, { chunkId, unitIndex: 0 }),
      headerOf(2, 100, { chunkId, unitIndex: 2 }),
      headerOf(3, 100),
    ];
    for (const other of others) table.put(unitKeyBytes(other), other, [{ ...extentAt(0, 90, 1), start: 90 }]);
    table.put(key, header, [EXTENTS[2], EXTENTS[0], EXTENTS[1]]);
    expect(table.extents(key)).toEqual(EXTENTS);
    expect(table.find(key)).toEqual(header);
    expect(() => table.map(key, [EXTENTS[1]])).toThrow('Extents of a unit do not overlap');
    expect(table.delete(key)).toEqual(EXTENTS);
    expect(table.extents(key)).toEqual([]);
    expect(table.find(key)).toBeUndefined();
    expect(table.unitCount).toBe(3);
    for (const other of others) expect(table.extents(unitKeyBytes(other))).toHaveLength(1);
  });

  it('seed-2.4: a unit is named by chunk and index, each to its own key, from which both come back', () => {
    const table = emptyTable();
    const names = new Set<string>();
    for (const chunk of [1, 2])
      for (const unitIndex of [0, 1, 2, 127, 128, 255]) {
        const each = headerOf(chunk, 100 + unitIndex, { unitIndex });
        names.add(unitKeyBytes(each).toString('hex'));
        table.put(unitKeyBytes(each), each, []);
      }
    expect(names.size).toBe(12);
    expect(table.unitCount).toBe(12);
    for (const chunk of [1, 2])
      for (const unitIndex of [0, 1, 2, 127, 128, 255]) {
        const each = headerOf(chunk, 100 + unitIndex, { unitIndex });
        expect(unitKeyBytes(each)).toEqual(unitKeyBytes({ chunkId: each.chunkId, unitIndex }));
        expect(table.find(unitKeyBytes({ chunkId: each.chunkId, unitIndex }))).toEqual(each);
      }
  });

  it('seed-2.14: a hole, and what was never written, is damage and not zeros', async () => {
    const image = Buffer.alloc(4 * MIB);
    for (const { offset, start, blocks } of EXTENTS)
      bytes.copy(image, layout.dataStart + start * BLOCK_BYTES, offset, offset + blocks * BLOCK_BYTES);
    const device = new SimulatedDevice(image);
    const read = (extents: readonly MappedExtent[], from = 0, to = bytes.length) =>
      readUnit(device, layout, { key, unitSizeBytes: bytes.length, extents }, { from, to });
    expect((await read(EXTENTS))?.bytes.equals(bytes)).toBe(true);
    for (const lost of EXTENTS) {
      const rest = EXTENTS.filter((extent) => extent !== lost);
      expect(await read(rest)).toBeUndefined();
      expect(await read(rest, lost.offset, lost.offset + 1)).toBeUndefined();
    }
    expect(await read([])).toBeUndefined();
    expect((await read(EXTENTS, 5000, 9000))?.bytes.equals(bytes.subarray(5000, 9000))).toBe(true);
  });

  it('seed-2.15: a unit that is recorded again gives its old extents back, and only those', () => {
    const table = emptyTable();
    table.put(key, header, EXTENTS);
    const anew = [extentAt(0, 200, 5)];
    expect(table.prepare(key, anew)).not.toBe(missing);
    expect(table.put(key, header, anew)).toEqual(EXTENTS);
    expect(table.extents(key)).toEqual(anew);
    expect(table.unitCount).toBe(1);
  });

  it('seed-2.16: on each of three devices one transaction claims the extent and records it', async () => {
    for (const number of [0, 1, 2]) {
      const { device, store } = await openImage(await formattedImage());
      await store.checkpoint();
      const { freeBytes } = store.status();
      await put(store, number, 50_000);
      const groups = device.writes.filter(({ kind }) => kind === 'log');
      expect(groups).toHaveLength(1);
      const group = device.image.subarray(groups[0].position);
      const records = [...decodeRecords(group.subarray(72, 72 + group.readUInt32LE(56)))];
      expect(records).toHaveLength(1);
      const extents = records[0].kind === 'unit' ? records[0].extents : [];
      expect(extents.reduce((sum, { blocks }) => sum + blocks, 0)).toBe(13);
      expect(store.status().freeBytes).toBe(freeBytes - 13 * BLOCK_BYTES);
      const written = device.writes.filter(({ kind }) => kind === 'data').map(({ position }) => position);
      const dataStart =
        device.image.length - (await store.check()).extents.reduce((sum, { blocks }) => sum + blocks, 0) * BLOCK_BYTES;
      expect(written).toEqual(extents.map(({ start }) => dataStart + start * BLOCK_BYTES));
      expect(groups[0].position).toBeLessThan(4 * BLOCK_BYTES + 2 * SEGMENT_BYTES);
      // Both come back from the log alone.
      const { store: again } = await openImage(device.image);
      expect(again.status().freeBytes).toBe(freeBytes - 13 * BLOCK_BYTES);
      const { problems, extents: all } = await again.check();
      expect(problems).toEqual([]);
      expect(all.filter(({ use }) => use === 'used').reduce((sum, { blocks }) => sum + blocks, 0)).toBe(13);
      const found = await again.read(headerOf(number, 0).chunkId, number);
      expect(found?.bytes.equals(bytesOf(number, 50_000))).toBe(true);
    }
  });
});
