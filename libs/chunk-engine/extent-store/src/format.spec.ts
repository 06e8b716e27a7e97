/**
 * Reads a device with a decoder of its own, written from FORMAT.md alone: nothing here imports the code that writes. What the
 * page says and what the engine does can only change together.
 */
import { crc32 } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES } from '@holdfast/stdx';
import {
  authority,
  bytesOf,
  formattedImage,
  formattedPair,
  headerOf,
  openImage,
  openPair,
  put,
  unitOf,
} from './testing/store-fixture.js';
import type { ExtentStore } from './extent-store.js';

const BLOCK = 4096;
const u16 = (bytes: Buffer, at: number): number => bytes.readUInt16LE(at);
const u32 = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at);
const u64 = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));

interface Root {
  readonly page: number;
  readonly checksum: number;
  readonly level: number;
  readonly entries: number;
}

/** A device as FORMAT.md describes it. */
class Decoder {
  readonly superblock: Buffer;
  private readonly segmentBytes: number;
  readonly pageCount: number;
  readonly reached = new Set<number>();

  constructor(
    private readonly meta: Buffer,
    private readonly data: Buffer,
  ) {
    const copies = [0, 1, 2, 3]
      .map((copy) => meta.subarray(copy * BLOCK, (copy + 1) * BLOCK))
      .filter((block, copy) => {
        const isMarked =
          block.toString('latin1', 0, 8) === 'HOLDFAST' && u32(block, 8) === 2 && u32(block, 12) === copy;
        return isMarked && u32(block, 4092) === crc32(block.subarray(0, 4092));
      });
    this.superblock = copies.reduce((best, next) => (u64(next, 56) > u64(best, 56) ? next : best));
    this.segmentBytes = u32(this.superblock, 76) * BLOCK;
    this.pageCount = u32(this.superblock, 80);
  }

  private get deviceId(): Buffer {
    return this.superblock.subarray(16, 32);
  }

  private get dataStart(): number {
    return u32(this.superblock, 72) === 0 ? 4 * BLOCK + 2 * this.segmentBytes + this.pageCount * BLOCK : 4 * BLOCK;
  }

  get dataBlocks(): number {
    return (u64(this.superblock, 64) - this.dataStart) / BLOCK;
  }

  page(number: number, checksum: number): Buffer {
    const position = 4 * BLOCK + 2 * this.segmentBytes + number * BLOCK;
    const page = this.meta.subarray(position, position + BLOCK);
    expect(page.toString('latin1', 0, 4)).toBe('HFPG');
    expect(u16(page, 4)).toBe(1);
    expect(page.subarray(8, 24).equals(this.deviceId)).toBe(true);
    expect(u64(page, 24)).toBe(position);
    expect(u64(page, 32)).toBeLessThanOrEqual(u64(this.superblock, 128));
    expect(u32(page, 60)).toBe(crc32(Buffer.concat([page.subarray(0, 60), page.subarray(64)])));
    expect(u32(page, 60)).toBe(checksum);
    expect(this.reached.has(number)).toBe(false);
    this.reached.add(number);
    return page;
  }

  root(): { trees: Root[]; bitmaps: Buffer[] } {
    const page = this.page(u32(this.superblock, 136), u32(this.superblock, 140));
    expect(page[6]).toBe(4);
    const trees = [0, 1, 2, 3, 4, 5].map((index) => rootAt(page, 64 + 24 * index));
    const bitmaps = Array.from({ length: u32(page, 208) }, (_, index) => {
      const bitmap = this.page(u32(page, 256 + 8 * index), u32(page, 260 + 8 * index));
      expect(bitmap[6]).toBe(3);
      return bitmap;
    });
    return { trees, bitmaps };
  }

  /** Entries of a tree, in order. */
  *entries(root: Root, treeId: number): Generator<[key: Buffer, value: Buffer]> {
    if (root.page !== 0) yield* this.entriesBelow(root.page, root.checksum, root.level, treeId);
  }

  private *entriesBelow(number: number, checksum: number, level: number, treeId: number): Generator<[Buffer, Buffer]> {
    const page = this.page(number, checksum);
    expect([page[6], page[7], u32(page, 40)]).toEqual([level === 0 ? 1 : 2, level, treeId]);
    for (let index = 0; index < u16(page, 48); index += 1) {
      const cell = u16(page, 64 + 2 * index);
      const keyBytes = u16(page, cell);
      if (level > 0) {
        if (index === 0) expect(keyBytes).toBe(0);
        yield* this.entriesBelow(u32(page, cell + 2), u32(page, cell + 6), level - 1, treeId);
        continue;
      }
      const valueBytes = u16(page, cell + 2);
      const key = page.subarray(cell + 4, cell + 4 + keyBytes);
      const value = page.subarray(cell + 4 + keyBytes, cell + 4 + keyBytes + (valueBytes & 0x7fff));
      yield [key, (valueBytes & 0x8000) === 0 ? value : this.valueOutside(value, treeId)];
    }
  }

  private valueOutside(reference: Buffer, treeId: number): Buffer {
    const parts: Buffer[] = [];
    for (let at = 4; at < reference.length; at += 8) {
      const page = this.page(u32(reference, at), u32(reference, at + 4));
      expect([page[6], u32(page, 40)]).toEqual([5, treeId]);
      parts.push(page.subarray(64, u32(page, 44)));
    }
    const value = Buffer.concat(parts);
    expect(value.length).toBe(u32(reference, 0));
    return value;
  }

  blocks(start: number, sizeBytes: number): Buffer {
    const position = this.dataStart + start * BLOCK;
    return this.data.subarray(position, position + sizeBytes);
  }

  /** Groups of the log that a replay takes. */
  *groups(): Generator<{ records: Buffer; payload: Buffer; knownFlushed: number }> {
    let sequence = u64(this.superblock, 96);
    const first = u32(this.superblock, 84);
    for (const segment of [first, 1 - first]) {
      for (let used = 0; used < this.segmentBytes;) {
        const position = 4 * BLOCK + segment * this.segmentBytes + used;
        const group = this.meta.subarray(position);
        if (group.toString('latin1', 0, 4) !== 'HFLG' || u64(group, 40) !== sequence) break;
        expect([u16(group, 4), u64(group, 24), u64(group, 32)]).toEqual([2, position, u64(this.superblock, 88)]);
        const recordBytes = u32(group, 56);
        expect(u32(group, 64)).toBe(
          crc32(Buffer.concat([group.subarray(0, 64), group.subarray(72, 72 + recordBytes)])),
        );
        const payloadStart = Math.ceil((72 + recordBytes) / BLOCK) * BLOCK;
        const padding = Buffer.concat([group.subarray(68, 72), group.subarray(72 + recordBytes, payloadStart)]);
        expect(padding.equals(Buffer.alloc(padding.length))).toBe(true);
        const end = payloadStart + u32(group, 60) * BLOCK;
        yield {
          records: group.subarray(72, 72 + recordBytes),
          payload: group.subarray(payloadStart, end),
          knownFlushed: u64(group, 48),
        };
        sequence += 1;
        used += end;
      }
    }
  }
}

function rootAt(bytes: Buffer, at: number): Root {
  return {
    page: u32(bytes, at),
    checksum: u32(bytes, at + 4),
    level: u32(bytes, at + 8),
    entries: u64(bytes, at + 16),
  };
}

function pieceChecksum(key: Buffer, offset: number, bytes: Buffer): number {
  const start = (crc32(key) ^ (Math.imul(offset / BLOCK + 1, 0x9e3779b1) >>> 0)) >>> 0;
  return crc32(bytes, start);
}

const SIZES = [0, 1, 4096, 5000, 16_384, 70_000, 200_000];

async function fill(store: ExtentStore): Promise<void> {
  for (const [number, sizeBytes] of SIZES.entries()) await put(store, number, sizeBytes);
  await put(store, 100, 50_000);
  await store.free([unitOf(100)], authority(7n));
  const names = await store.createCatalogue(Buffer.from('names'));
  for (let number = 0; number < 150; number += 1)
    await names.put(Buffer.from(`key ${number}`), Buffer.from('v'.repeat(number === 3 ? 9000 : number)));
  await store.createCatalogue(Buffer.from('empty'));
}

function checkDevice(decoder: Decoder): void {
  const { trees, bitmaps } = decoder.root();
  const all = trees.map((root, index) => [...decoder.entries(root, index + 1)]);
  trees.forEach((root, index) => expect(all[index]).toHaveLength(root.entries));
  const [cob, extmap, byOffset, byLength, freed, catalogues] = all;
  const owner = new Uint8Array(decoder.dataBlocks);
  const take = (start: number, blocks: number): void => {
    for (let block = start; block < start + blocks; block += 1) owner[block] += 1;
  };
  for (const [key, value] of [...byOffset, ...freed]) take(key.readUInt32BE(0), u32(value, 0));
  expect(byLength.map(([key]) => [key.readUInt32BE(4), key.readUInt32BE(0)]).sort()).toEqual(
    byOffset.map(([key, value]) => [key.readUInt32BE(0), u32(value, 0)]).sort(),
  );
  const found = new Map<string, Buffer>();
  for (const [key, value] of cob) found.set(key.toString('hex'), Buffer.alloc(u32(value, 8)));
  const { superblock } = decoder;
  expect(superblock.subarray(152, 4092).every((byte) => byte === 0)).toBe(true);
  expect(u32(superblock, 148)).toBeLessThanOrEqual(decoder.pageCount);
  for (const [key, value] of extmap) {
    take(u32(value, 0), u32(value, 4));
    expect(u32(value, 0) + u32(value, 4)).toBeLessThanOrEqual(u32(superblock, 144));
    const unit = found.get(key.toString('hex', 0, 17));
    if (unit === undefined) throw new Error('an extent of no unit');
    const offset = key.readUInt32BE(17);
    const end = Math.min(unit.length, offset + u32(value, 4) * BLOCK);
    decoder.blocks(u32(value, 0), end - offset).copy(unit, offset);
    const whole = decoder.blocks(u32(value, 0), u32(value, 4) * BLOCK);
    expect(whole.subarray(end - offset).every((byte) => byte === 0)).toBe(true);
    for (let at = offset, sum = 8; at < end; at = (Math.floor(at / 65_536) + 1) * 65_536, sum += 4) {
      const piece = unit.subarray(at, Math.min(end, (Math.floor(at / 65_536) + 1) * 65_536));
      expect(pieceChecksum(key.subarray(0, 17), at, piece)).toBe(u32(value, sum));
    }
  }
  expect(owner.every((owners) => owners === 1)).toBe(true);
  checkUnits(cob, found);
  checkCatalogues(decoder, catalogues);
  const live = bitmaps.flatMap((bitmap, index) =>
    Array.from({ length: 32_256 }, (_, bit) =>
      (bitmap[64 + (bit >> 3)] >> (bit & 7)) & 1 ? [index * 32_256 + bit] : [],
    ).flat(),
  );
  expect(live).toEqual([...decoder.reached].sort((a, b) => a - b));
}

function checkUnits(cob: [Buffer, Buffer][], found: ReadonlyMap<string, Buffer>): void {
  expect(cob).toHaveLength(SIZES.length);
  for (const [number, sizeBytes] of SIZES.entries()) {
    const header = headerOf(number, sizeBytes);
    const key = header.chunkId + header.unitIndex.toString(16).padStart(2, '0');
    expect(found.get(key)?.equals(bytesOf(number, sizeBytes))).toBe(true);
    const value = cob.find(([each]) => each.toString('hex') === key)?.[1] ?? Buffer.alloc(44);
    expect([value[0], value[1], u32(value, 4), u64(value, 12), u64(value, 20), value.toString('hex', 28)]).toEqual([
      header.k,
      header.m,
      header.chunkSizeBytes,
      Number(header.bucketId),
      header.writtenAtMs,
      header.writeId,
    ]);
  }
}

function checkCatalogues(decoder: Decoder, catalogues: [Buffer, Buffer][]): void {
  expect(catalogues.map(([name]) => name.toString())).toEqual(['empty', 'names']);
  expect(rootAt(catalogues[0][1], 4).page).toBe(0);
  const [, value] = catalogues[1];
  const entries = [...decoder.entries(rootAt(value, 4), u32(value, 0))];
  expect(entries).toHaveLength(150);
  expect(entries.map(([key]) => key)).toEqual(entries.map(([key]) => key).sort(Buffer.compare));
  const third = entries.find(([key]) => key.toString() === 'key 3');
  expect(third?.[1].toString()).toBe('v'.repeat(9000));
}

describe('the format as FORMAT.md tells it', () => {
  it('seed-2.26: a device in one file, read by another decoder: every block, tree, unit and checksum', async () => {
    const { device, store } = await openImage(await formattedImage());
    await fill(store);
    await store.checkpoint();
    await store.close();
    const decoder = new Decoder(device.image, device.image);
    expect([u64(decoder.superblock, 48), u64(decoder.superblock, 112), u64(decoder.superblock, 120)]).toEqual([
      3, 1, 7,
    ]);
    checkDevice(decoder);
  });

  it('a pair of files', async () => {
    const { meta, data, store } = await openPair(await formattedPair());
    await fill(store);
    await store.checkpoint();
    checkDevice(new Decoder(meta.image, data.image));
    expect(u32(data.image, 72)).toBe(2);
    expect(data.image.subarray(76, 4092).every((byte) => byte === 0)).toBe(true);
  });

  it('the log: one group for each flush, records and payload of small units in place', async () => {
    const { device, store } = await openImage(await formattedImage());
    await store.checkpoint();
    await Promise.all([put(store, 1, 100), put(store, 2, 5000)]);
    await put(store, 3, 70_000);
    await store.free([unitOf(1)], authority(9n));
    const decoder = new Decoder(device.image, device.image);
    const groups = [...decoder.groups()];
    expect(groups).toHaveLength(3);
    const [small, large, freed] = groups;
    expect(small.payload.length).toBe(3 * BLOCK);
    for (const [at, number, sizeBytes, block] of [
      [0, 1, 100, 0],
      [72, 2, 5000, 1],
    ]) {
      const record = small.records.subarray(at, at + 72);
      expect([record[0], record[1], u16(record, 4), u16(record, 6), u32(record, 60)]).toEqual([
        1,
        number % 3,
        65_535,
        1,
        sizeBytes,
      ]);
      expect(record.toString('hex', 8, 24)).toBe(headerOf(number, sizeBytes).chunkId);
      expect(u32(record, 64)).toBe(block);
      const bytes = small.payload.subarray(block * BLOCK, block * BLOCK + sizeBytes);
      expect(bytes.equals(bytesOf(number, sizeBytes))).toBe(true);
      const tail = small.payload.subarray(block * BLOCK + sizeBytes, Math.ceil(block + sizeBytes / BLOCK) * BLOCK);
      expect(tail.equals(Buffer.alloc(BLOCK - (sizeBytes % BLOCK)))).toBe(true);
      const key = Buffer.concat([record.subarray(8, 24), record.subarray(1, 2)]);
      expect(pieceChecksum(key, 0, bytes)).toBe(u32(record, 68));
    }
    expect([large.records[0], u16(large.records, 4), u16(large.records, 6)]).toEqual([1, 1, 2]);
    const start = u32(large.records, 64);
    expect(decoder.blocks(start, 70_000).equals(bytesOf(3, 70_000))).toBe(true);
    expect([freed.records[0], freed.records[20], u64(freed.records, 24), u64(freed.records, 32)]).toEqual([2, 3, 1, 9]);
    expect(groups.map(({ knownFlushed }) => knownFlushed)).toEqual([0, 1, 2]);
    expect(BLOCK).toBe(BLOCK_BYTES);
  });
});
