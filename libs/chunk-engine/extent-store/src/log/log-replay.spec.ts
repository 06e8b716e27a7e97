/** Which groups count, by what stands in the log. */
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES, KIB, MIB } from '@holdfast/stdx';
import { layoutOf, segmentStart } from '../format/device-layout.js';
import { readSuperblock, uuidToBytes } from '../format/superblock.js';
import { SimulatedDevice } from '../device/simulated-device.js';
import { DEVICE_ID, formattedImage, openImage, put } from '../testing/store-fixture.js';
import { finishGroup } from './log-group.js';
import { LogReader } from './log-replay.js';

const layout = layoutOf({ capacityBytes: 4 * MIB, segmentBytes: 64 * KIB, pageCount: 256, isPair: false });
const deviceIdBytes = uuidToBytes(DEVICE_ID);

interface Planted {
  readonly segment: 0 | 1;
  readonly block: number;
  readonly sequence: number;
  readonly logGeneration?: number;
  readonly knownFlushed?: number;
}

/** Sequences that a replay takes, from group 5 in segment 0 on, in generation 3. */
async function replayed(groups: readonly Planted[], knownFlushed = 4): Promise<number[]> {
  const mirror = Buffer.alloc(2 * layout.segmentBytes);
  for (const { segment, block, sequence, logGeneration = 3, knownFlushed: named = 4 } of groups) {
    const used = block * BLOCK_BYTES;
    const position = segmentStart(layout, segment) + used;
    const header = { deviceIdBytes, position, logGeneration, sequence, knownFlushed: named };
    finishGroup(mirror.subarray(segment * layout.segmentBytes + used), {
      ...header,
      recordBytes: 20,
      payloadBlocks: 0,
    });
  }
  const { superblock } = await readSuperblock(new SimulatedDevice(await formattedImage()), 'sim');
  const start = { ...superblock, firstSegment: 0 as const, logGeneration: 3, firstGroupSequence: 5, knownFlushed };
  const { groups: found } = new LogReader('sim', layout, deviceIdBytes, start, mirror).plan();
  return found.map(({ sequence }) => sequence);
}

describe('the replay of a log', () => {
  it('seed-1.17: a tail that an earlier recovery dropped carries an older generation, and does not count', async () => {
    const first: Planted = { segment: 0, block: 0, sequence: 5 };
    expect(await replayed([first, { segment: 0, block: 1, sequence: 6 }])).toEqual([5, 6]);
    expect(await replayed([first, { segment: 0, block: 1, sequence: 6, logGeneration: 2 }])).toEqual([5]);
    expect(await replayed([{ ...first, logGeneration: 2 }])).toEqual([]);
    // What it says was flushed is not asked for either.
    expect(await replayed([{ segment: 1, block: 4, sequence: 9, logGeneration: 2, knownFlushed: 8 }])).toEqual([]);
  });

  it('seed-1.17: each open begins a generation of its own with its first write', async () => {
    let image = await formattedImage();
    for (let opened = 1; opened <= 3; opened += 1) {
      const { device, store } = await openImage(image);
      await put(store, opened, 3000);
      expect((await readSuperblock(device, 'sim')).superblock.logGeneration).toBe(opened);
      image = Buffer.from(device.image);
    }
  });

  it('seed-1.20: groups count up to the first gap, also from one segment into the other', async () => {
    const inFirst = [5, 6, 7].map((sequence, block): Planted => ({ segment: 0, block, sequence }));
    const next: Planted = { segment: 1, block: 0, sequence: 8 };
    expect(await replayed([...inFirst, next])).toEqual([5, 6, 7, 8]);
    expect(await replayed([inFirst[0], inFirst[2], next])).toEqual([5]);
    expect(await replayed([...inFirst, { ...next, sequence: 9 }])).toEqual([5, 6, 7]);
    expect(await replayed([...inFirst, { ...next, sequence: 7 }])).toEqual([5, 6, 7]);
    expect(await replayed([{ ...inFirst[0], sequence: 6 }])).toEqual([]);
  });

  it('seed-1.19: a gap up to what is known to be flushed is damage, by whoever knows it', async () => {
    const groups = [5, 7].map((sequence, at): Planted => ({ segment: 0, block: 2 * at, sequence }));
    expect(await replayed(groups, 5)).toEqual([5]);
    await expect(replayed(groups, 6)).rejects.toMatchObject({ code: 'MetadataDamaged' });
    const told = [groups[0], { ...groups[1], knownFlushed: 6 }];
    await expect(replayed(told)).rejects.toThrow(
      /^sim: log group 6 is damaged or gone, and groups up to 6 were flushed/,
    );
  });
});
