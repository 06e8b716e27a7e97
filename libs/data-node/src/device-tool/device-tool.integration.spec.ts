/** The device tool over real files. */
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Deadline, KIB, MIB } from '@holdfast/stdx';
import { ExtentStore } from '@holdfast/extent-store';
import { runDeviceTool } from './device-tool.js';

const CLUSTER_ID = '00000000-0000-4000-8000-00000000c1c1';

function headerOf(number: number, unitSizeBytes: number) {
  const chunkId = number.toString(16).padStart(32, '0');
  const shape = { unitIndex: 1, k: 2, m: 1, chunkSizeBytes: 2 * unitSizeBytes, unitSizeBytes };
  return { chunkId, ...shape, bucketId: 7n, writeId: 'ab'.repeat(16), writtenAtMs: 1_700_000_000_000 };
}

/** A process that holds the device as any that has it open; resolves to how to end it. */
async function heldElsewhere(deviceId: string): Promise<() => Promise<void>> {
  const script = `require('node:net').createServer().listen('\\0holdfast-device-${deviceId}', () => console.log('held'))`;
  const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return async () => {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  };
}

describe('device tool', () => {
  let folder: string;
  let path: string;
  let deviceId: string;

  async function tool(...args: string[]): Promise<{ code: number; printed: string; complained: string }> {
    const printed: string[] = [];
    const complained: string[] = [];
    const output = {
      print: (line: string) => void printed.push(line),
      complain: (line: string) => void complained.push(line),
    };
    const code = await runDeviceTool(args, output);
    return { code, printed: printed.join('\n'), complained: complained.join('\n') };
  }

  /** Two small units, one of 300 KiB, a freed one, and a catalogue; `fill` of each unit is its number. */
  async function fillDevice(metadataPath?: string): Promise<void> {
    const store = await ExtentStore.open(path, { metadataPath });
    const sizes = [5000, 4 * KIB, 300 * KIB, 100 * KIB];
    for (const [number, sizeBytes] of sizes.entries()) {
      const bytes = Buffer.alloc(sizeBytes, number + 1);
      await store.write(
        headerOf(number, sizeBytes),
        sizeBytes,
        async function* () {
          yield bytes;
        },
        Deadline.in(30_000),
      );
    }
    await store.free([headerOf(3, 0)], { clusterId: CLUSTER_ID, generation: 1, sequence: 5n });
    const catalogue = await store.createCatalogue(Buffer.from('bucket 9'));
    await catalogue.put(Buffer.from('photos/a\\b'), Buffer.from([0x68, 0x69, 0x00, 0xff]));
    await store.checkpoint();
    await catalogue.put(Buffer.from('photos/z'), Buffer.from('behind the checkpoint'));
    await store.close();
  }

  async function overwrite(position: number, bytes: Buffer): Promise<void> {
    const file = await open(path, 'r+');
    await file.write(bytes, 0, bytes.length, position);
    await file.close();
  }

  const format = (...more: string[]) =>
    tool('format', path, '--size', '64MiB', '--cluster', CLUSTER_ID, '--device', deviceId, ...more);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'device-tool-'));
    path = join(folder, 'device');
    deviceId = randomUUID();
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('format makes a device that opens, and never one of a file that holds anything', async () => {
    expect(await format('--generation', '3')).toMatchObject({ code: 0, complained: '' });
    const store = await ExtentStore.open(path);
    expect(store.superblock).toEqual({ deviceId, clusterId: CLUSTER_ID, generation: 3, capacityBytes: 64 * MIB });
    await store.close();
    const before = await readFile(path);
    const again = await format();
    expect(again).toMatchObject({ code: 1, printed: '' });
    expect(again.complained).toContain(path);
    expect((await readFile(path)).equals(before)).toBe(true);
  });

  it('info tells what the superblock says and what the device holds, the log included', async () => {
    await format('--generation', '3');
    await fillDevice();
    const { code, printed } = await tool('info', path);
    expect(code).toBe(0);
    expect(printed).toMatch(
      new RegExp(`^device +${deviceId}\ncluster +${CLUSTER_ID}\ngeneration +3\ncapacity +67108864 bytes`),
    );
    expect(printed).toMatch(/^database seen +generation 1, sequence 5$/m);
    expect(printed).toMatch(/^units +3$/m);
    expect(printed).toMatch(/^catalogues +1$/m);
  });

  it('dump prints keys and values of every tree, the log included', async () => {
    await format();
    await fillDevice();
    const units = (await tool('dump', 'cob', path)).printed.split('\n');
    expect(units).toHaveLength(3);
    expect(units[2]).toBe(
      `${headerOf(2, 0).chunkId}/1  307200 bytes of a chunk of 614400, 2+1, bucket 7, write ${'ab'.repeat(16)}, 2023-11-14T22:13:20.000Z`,
    );
    expect((await tool('dump', 'cob', path, '--limit', '1')).printed).toBe(units[0]);
    expect((await tool('dump', 'extmap', path)).printed).toMatch(
      new RegExp(`^${headerOf(2, 0).chunkId}/1 \\+ 0  blocks \\d+ to \\d+, CRC-32 [0-9a-f]{8}( [0-9a-f]{8}){4}$`, 'm'),
    );
    expect((await tool('dump', 'balloc-offset', path)).printed).toMatch(/^block \d+ {2}\d+ blocks$/m);
    expect((await tool('dump', 'balloc-length', path)).printed).toMatch(/^\d+ blocks {2}from block \d+$/m);
    expect((await tool('dump', 'catalogues', path)).printed).toMatch(/^bucket 9 {2}tree 16, 1 entries/);
    expect((await tool('dump', 'catalogue:bucket 9', path)).printed).toBe(
      'photos/a\\x5cb  hi\\x00\\xff\nphotos/z  behind the checkpoint',
    );
    const unknown = await tool('dump', 'roots', path);
    expect(unknown).toMatchObject({ code: 2, printed: '' });
    expect(unknown.complained).toContain('cob, extmap, balloc-offset, balloc-length, catalogues, catalogue:bucket 9');
  });

  it('fsck and map account for every block; of a pair, too; and nothing is written', async () => {
    for (const metadata of [[], ['--metadata', join(folder, 'meta')]]) {
      deviceId = randomUUID();
      path = join(folder, `device${metadata.length}`);
      expect(await format(...metadata)).toMatchObject({ code: 0 });
      await fillDevice(metadata[1]);
      const before = await readFile(path);
      const checked = await tool('fsck', path, ...metadata);
      expect(checked).toMatchObject({ code: 0, complained: '' });
      expect(checked.printed).toContain('sound; 3 units, 78 blocks used');
      const { code, printed } = await tool('map', path, ...metadata);
      expect(code).toBe(0);
      expect(printed.includes('the file with log and pages:')).toBe(metadata.length > 0);
      const cells = printed
        .split('\n')
        .flatMap((line) => /^ +\d+ {2}([.#+-]+)$/.exec(line)?.[1] ?? [])
        .join('');
      const [, blocks] = /^data, (\d+) blocks; a sign stands for 32 KiB:$/m.exec(printed) ?? [];
      expect(cells).toHaveLength(Math.ceil(Number(blocks) / 8));
      expect(cells.replaceAll('.', '').length * 8).toBeGreaterThanOrEqual(78);
      expect(cells).toContain('#########');
      expect((await readFile(path)).equals(before)).toBe(true);
    }
  });

  it('a damaged page is reported by its number: fsck and map end with 1, info still tells the superblock', async () => {
    await format();
    await fillDevice();
    // Pages begin behind superblock and log; all that are in use are hit.
    await overwrite(16 * KIB + 4 * MIB, Buffer.alloc(682 * 4 * KIB, 0x5a));
    for (const command of ['fsck', 'scrub', 'map', 'info']) {
      const { code, printed, complained } = await tool(command, path);
      expect(code).toBe(1);
      expect(complained).toMatch(/metadata page \d+ does not verify/);
      expect(complained).toContain(path);
      expect(printed.includes(deviceId)).toBe(command === 'info');
    }
  });

  it('scrub names every damaged unit, reads no faster than told, and goes on behind the unit where it ended', async () => {
    await format();
    await fillDevice();
    expect(await tool('scrub', path)).toMatchObject({ code: 0, complained: '' });
    const image = await readFile(path);
    await overwrite(image.indexOf(Buffer.alloc(64 * KIB, 3)) + 200 * KIB, Buffer.from('?'));
    const found = await tool('scrub', path);
    expect(found.code).toBe(1);
    expect(found.complained).toBe(`${path}: unit ${headerOf(2, 0).chunkId}/1 does not verify`);
    expect(found.printed).toContain('NOT SOUND; 3 units');
    const startedMs = performance.now();
    const rest = await tool('scrub', path, '--after', `${headerOf(1, 0).chunkId}/1`, '--rate', '1MiB');
    expect(rest.printed).toContain('1 units with 300 KiB read, 1 damaged');
    expect(performance.now() - startedMs).toBeGreaterThan(280);
    const output = {
      print: () => undefined,
      complain: (line: string) => void ended.push(line),
      signal: AbortSignal.abort(),
    };
    const ended: string[] = [];
    expect(await runDeviceTool(['scrub', path, '--after', `${headerOf(0, 0).chunkId}/1`], output)).toBe(1);
    expect(ended.join()).toContain(`go on with --after ${headerOf(0, 0).chunkId}/1`);
  });

  it('refuses a device in use, a foreign file, a cut one, a newer format and none, saying which file and what to do', async () => {
    await format();
    const store = await ExtentStore.open(path);
    const commands = [['info'], ['dump', 'cob'], ['fsck'], ['scrub'], ['map']];
    const refusals = async (words: RegExp): Promise<void> => {
      for (const command of commands) {
        const { code, printed, complained } = await tool(...command, path);
        expect({ code, printed }).toEqual({ code: 1, printed: '' });
        expect(complained).toContain(path);
        expect(complained).toMatch(words);
      }
    };
    await refusals(/is open in this process already\. Name each device once/);
    await store.close();
    const image = await readFile(path);
    const letGo = await heldElsewhere(deviceId);
    await refusals(new RegExp(`, device ${deviceId}, is open in another process\\. Stop`));
    await letGo();
    expect((await tool('fsck', path)).code).toBe(0);
    expect((await readFile(path)).equals(image)).toBe(true);
    const newer = Buffer.from(image);
    for (let copy = 0; copy < 4; copy += 1) newer.writeUInt32LE(99, copy * 4096 + 8);
    await writeFile(path, newer);
    await refusals(/device format 99.*newer version/);
    await writeFile(path, image);
    for (const sizeBytes of [MIB, 64 * MIB - 1]) {
      await truncate(path, sizeBytes);
      await refusals(new RegExp(`is cut off: it had ${64 * MIB} bytes and has ${sizeBytes}\\. Bring back`));
      await writeFile(path, image);
    }
    await truncate(path, 65 * MIB);
    await refusals(/has grown.*cut the file back/);
    for (const text of ['holiday photos', '']) {
      await writeFile(path, text);
      await refusals(/is not a Holdfast device.*check the path/);
      expect(await readFile(path, 'utf8')).toBe(text);
    }
    await rm(path);
    await refusals(/cannot be opened.*Check the path/);
    await mkdir(path);
    await refusals(/cannot be opened: it is a directory, and no file or block device\. Check the path/);
    expect((await format()).complained).toContain('holds something');
    await rm(path, { recursive: true });
    // Nobody writes into the pipe: whoever opened it would wait for ever.
    expect(spawnSync('sh', ['-c', `mkfifo "${path}"`]).status).toBe(0);
    await refusals(/cannot be opened: it is a pipe or the like, and no file or block device\. Check the path/);
    expect((await format()).complained).toContain('holds something');
  });

  it('refuses a log of another device, and either file of a pair alone or in the other place, and writes to none', async () => {
    const files = ['data', 'meta', 'data2', 'meta2'].map((each) => join(folder, each));
    const [data, meta, data2, meta2] = files;
    for (const [own, metadata] of [
      [data, meta],
      [data2, meta2],
    ]) {
      const options = ['--size', '64MiB', '--cluster', CLUSTER_ID, '--metadata', metadata];
      expect(await tool('format', own, ...options)).toMatchObject({ code: 0 });
    }
    const before = await Promise.all(files.map((each) => readFile(each)));
    for (const [words, told] of [
      [[data, '--metadata', meta2], `${data} and ${meta2} belong to different devices. Give the two files`],
      [[data], `${data} holds the data blocks of a pair, not a whole device. Give the file, or both files`],
      [[meta], `${meta} holds log and pages of a pair, not a whole device. Give the file, or both files`],
      [[meta, '--metadata', data], `${data} holds the data blocks of a pair, not log and pages of a pair.`],
      [[data, '--metadata', data2], `${data2} holds the data blocks of a pair, not log and pages of a pair.`],
    ] as const)
      for (const command of ['info', 'fsck', 'scrub', 'map']) {
        const { code, complained } = await tool(command, ...words);
        expect({ code, complained }).toEqual({ code: 1, complained: expect.stringContaining(told) });
      }
    const after = await Promise.all(files.map((each) => readFile(each)));
    expect(after.every((bytes, index) => bytes.equals(before[index]))).toBe(true);
  });

  it('wrong words and options end with 2 and the usage, before any file is touched', async () => {
    for (const args of [
      [],
      ['mend', path],
      ['info'],
      ['dump', path],
      ['info', path, '--limit', '3'],
      ['fsck', path, '--fix'],
      ['format', path, '--size', '64MiB'],
      ['format', path, '--cluster', CLUSTER_ID],
      ['format', path, '--size', 'big', '--cluster', CLUSTER_ID],
      ['format', path, '--size', '64MiB', '--cluster', 'mine'],
      ['format', path, '--size', '5KiB', '--cluster', CLUSTER_ID],
    ]) {
      const { code, complained } = await tool(...args);
      expect({ args, code }).toEqual({ args, code: 2 });
      expect(complained).toContain('usage: npm run device');
    }
    await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
