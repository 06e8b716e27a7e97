/** What fsck says of devices with damaged pages, and of trees that disagree. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES } from '@holdfast/stdx';
import { SimulatedDevice, SimulatedDevicePort } from '../device/simulated-device.js';
import { DeviceInspection } from '../device-inspection.js';
import { mapDevice } from '../testing/device-map.js';
import { formattedImage, openImage, put } from '../testing/store-fixture.js';
import { missing } from '../tree/b-tree.js';
import * as Page from '../tree/page.js';
import { openDevice } from './device-opening.js';
import type { DeviceParts } from './device-state.js';
import { checkDevice } from './fsck.js';
import { recover } from './recovery.js';

const SIZES = [20_000, 9000, 12_000];

async function filledImage(): Promise<Buffer> {
  const { device, store } = await openImage(await formattedImage());
  for (const [number, sizeBytes] of SIZES.entries()) await put(store, number, sizeBytes);
  const catalogue = await store.createCatalogue(Buffer.from('names'));
  for (let number = 0; number < 60; number += 1)
    await catalogue.put(Buffer.from(`key ${number}`), Buffer.alloc(number === 7 ? 9000 : 300, number));
  await store.checkpoint();
  await store.close();
  return device.image;
}

describe('fsck', () => {
  let image: Buffer;
  let parts: DeviceParts;

  const problems = async (): Promise<string> => (await checkDevice(parts)).problems.join('\n');
  /** Brings the pages of a look-up into memory. */
  const ready = async (lookUp: () => unknown): Promise<void> => {
    while (lookUp() === missing) await parts.pages.loadMissing();
  };
  beforeEach(async () => {
    image = await filledImage();
    const opened = await openDevice(new SimulatedDevicePort({ sim: new SimulatedDevice(image) }), { path: 'sim' });
    const pause = (): Promise<void> => Promise.resolve();
    ({ parts } = await recover(opened, { path: 'sim', cachePagesMax: 64, pause }));
  });

  it('trees of free extents that disagree', async () => {
    const { value: first } = await parts.freeByLength.scan().next();
    await ready(() => parts.freeByLength.prepareRemoval(first.key));
    parts.freeByLength.delete(first.key);
    expect(await problems()).toMatch(/\d+ blocks are free by offset, and \d+ by length/);
  });

  it('a page that is reached twice', async () => {
    const catalogue = await parts.catalogues.get(Buffer.from('names'));
    const root = catalogue?.tree.root() ?? { page: 0, checksum: 0 };
    await ready(() => parts.pages.find(root.page, root.checksum) ?? missing);
    const bytes = parts.pages.cached(root.page)?.bytes ?? Buffer.alloc(0);
    const child = Page.childAt(bytes, 0);
    Page.setChild(bytes, 1, child, Page.childChecksumAt(bytes, 0));
    const found = await problems();
    expect(found).toContain(`metadata page ${child} is reached from catalogue names and from catalogue names`);
    expect(found).toContain('catalogue names: keys do not ascend');
  });

  it('lists damaged pages and goes on: what they may have named is not called lost, and what lies past them is checked', async () => {
    const blocks = mapDevice({ '': image }, { smallUnitMaxBytes: 8192 });
    const positions = ['catalogue leaf', 'value page', 'extmap leaf'].map(
      (name) => blocks.find((block) => block.name === name)?.position ?? 0,
    );
    for (const position of positions) image[position + 3000] ^= 1;
    const inspection = await DeviceInspection.open('sim', {
      io: new SimulatedDevicePort({ sim: new SimulatedDevice(image) }),
    });
    const report = await inspection.check();
    expect(report.problems).toHaveLength(3);
    for (const problem of report.problems) expect(problem).toMatch(/metadata page \d+ does not verify/);
    expect([report.unitCount, report.catalogueCount]).toEqual([3, 1]);
  });

  it('a device that cannot be recovered: says why, and lists every damaged page of its checkpoint', async () => {
    const blocks = mapDevice({ '': image }, { smallUnitMaxBytes: 8192 });
    const named = blocks.filter(({ name }) => ['bitmap page', 'catalogue leaf', 'cob leaf'].includes(name));
    // Value pages behind a damaged leaf cannot be found.
    expect(named.length).toBeGreaterThan(5);
    for (const { position } of named) image[position + BLOCK_BYTES - 1] ^= 0x80;
    const inspection = await DeviceInspection.open('sim', {
      io: new SimulatedDevicePort({ sim: new SimulatedDevice(image) }),
    });
    const { problems: found } = await inspection.check();
    expect(new Set(found).size).toBe(named.length);
  });
});
