/**
 * `npm run device -- COMMAND FILE`: makes a device, or looks into one that no process has open. All but `format` open the file
 * for reading only.
 */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { BLOCK_BYTES } from '@holdfast/stdx';
import { DeviceInspection, ExtentStore, ExtentStoreError, type UnitKey } from '@holdfast/extent-store';
import { blankCapacityBytes } from '../blank-capacity.js';
import { mapLines } from './device-map.js';
import { sizeFromText, sizeText } from './size-text.js';

export const DEVICE_USAGE = `usage: npm run device -- COMMAND FILE [--metadata FILE]   (a device that no process has open)
  format FILE --size SIZE --cluster UUID [--device UUID] [--generation N] [--metadata FILE]
                           makes a device of a file that is empty or not there, or of a blank block device
  info FILE                what the superblock says, and what the device holds
  dump TREE FILE           the entries of cob, extmap, balloc-offset, balloc-length, catalogues, catalogue:NAME
       [--limit N]         only the first N
  fsck FILE                whether free and used extents fill the device, units have their extents, pages are reached once
  scrub FILE               reads and verifies every page and every unit; Ctrl-C ends it and says how to go on
       [--rate SIZE]       no faster than so many bytes a second
       [--after UNIT]      goes on behind this unit (CHUNK/INDEX)
  map FILE                 a picture of the device's extents
  Of a pair, FILE has the data blocks, and --metadata FILE names the file with log and pages.
  Exit: 0 sound, 1 damaged or it cannot be opened, 2 wrong usage. SIZE: bytes, or as 64MiB, 10GiB`;

/** Where lines go. */
export interface ToolOutput {
  readonly print: (line: string) => void | Promise<void>;
  readonly complain: (line: string) => void;
  /** Ends a scrub at the next unit. */
  readonly signal?: AbortSignal;
}

interface Asked {
  readonly path: string;
  readonly words: readonly string[];
  readonly options: Readonly<Partial<Record<keyof typeof OPTIONS, string>>>;
  readonly output: ToolOutput;
}

type Command = (asked: Asked) => Promise<number>;

const OPTIONS = {
  metadata: { type: 'string' },
  size: { type: 'string' },
  cluster: { type: 'string' },
  device: { type: 'string' },
  generation: { type: 'string' },
  limit: { type: 'string' },
  rate: { type: 'string' },
  after: { type: 'string' },
} as const;

/** Words before FILE and options, of each command. */
const COMMANDS: Record<string, { run: Command; words: number; options: readonly (keyof typeof OPTIONS)[] }> = {
  format: { run: format, words: 0, options: ['size', 'cluster', 'device', 'generation'] },
  info: { run: info, words: 0, options: [] },
  dump: { run: dump, words: 1, options: ['limit'] },
  fsck: { run: fsck, words: 0, options: [] },
  scrub: { run: scrub, words: 0, options: ['rate', 'after'] },
  map: { run: map, words: 0, options: [] },
};

class UsageError extends Error {}

/** Resolves to the exit code; only what cannot happen rejects. */
export async function runDeviceTool(args: readonly string[], output: ToolOutput): Promise<number> {
  try {
    const { run, asked } = parse(args, output);
    return await run(asked);
  } catch (error) {
    if (error instanceof UsageError) {
      output.complain(`${error.message}\n${DEVICE_USAGE}`);
      return 2;
    }
    if (!(error instanceof ExtentStoreError)) throw error;
    output.complain(error.message);
    return 1;
  }
}

function parse(args: readonly string[], output: ToolOutput): { run: Command; asked: Asked } {
  const { values, positionals } = parseWords(args);
  const [name = '', ...rest] = positionals;
  if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(name === '' ? 'no command' : `no command '${name}'`);
  const command = COMMANDS[name];
  if (rest.length !== command.words + 1)
    throw new UsageError(`${name} takes ${command.words === 0 ? 'FILE' : 'TREE FILE'}`);
  for (const option of Object.keys(values))
    if (option !== 'metadata' && !command.options.includes(option as keyof typeof OPTIONS))
      throw new UsageError(`${name} knows no --${option}`);
  const asked = { path: rest[rest.length - 1], words: rest.slice(0, -1), options: values, output };
  return { run: command.run, asked };
}

function parseWords(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`--${name} is a whole number from 1 on, not '${text}'`);
  return Number(text);
}

function uuid(name: string, text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase();
  throw new UsageError(`--${name} is a UUID, not '${text}'`);
}

async function format({ path, options, output }: Asked): Promise<number> {
  if (options.cluster === undefined)
    throw new UsageError('format needs --cluster UUID: frees of another cluster are refused');
  const clusterId = uuid('cluster', options.cluster);
  const deviceId = options.device === undefined ? randomUUID() : uuid('device', options.device);
  const generation = wholeNumber('generation', options.generation, 1);
  const createBytes = options.size === undefined ? 0 : sizeFromText(options.size);
  if (createBytes === undefined) throw new UsageError(`--size is bytes, or as 64MiB, not '${options.size ?? ''}'`);
  const capacityBytes = await blankCapacityBytes(path, createBytes).catch((cause: Error) => {
    throw new ExtentStoreError('BadDevice', `${path} cannot be opened: ${cause.message}`, { cause });
  });
  if (capacityBytes === undefined) {
    const advice =
      'Choose another path, or empty the file when nobody needs it (a block device: zero its first and last MiB).';
    throw new ExtentStoreError('BadDevice', `${path} holds something. ${advice}`);
  }
  if (capacityBytes === 0) throw new UsageError(`${path} is no blank block device: format needs --size SIZE`);
  try {
    await ExtentStore.format(path, { deviceId, clusterId, generation, capacityBytes, metadataPath: options.metadata });
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${path} cannot become a device: ${error.message}`);
    throw error;
  }
  await output.print(
    `${path}: device ${deviceId} of cluster ${clusterId}, generation ${generation}, ${sizeText(capacityBytes)}`,
  );
  return 0;
}

async function inspect(asked: Asked, look: (device: DeviceInspection) => Promise<number>): Promise<number> {
  const device = await DeviceInspection.open(asked.path, { metadataPath: asked.options.metadata });
  try {
    return await look(device);
  } finally {
    await device.close();
  }
}

function info(asked: Asked): Promise<number> {
  return inspect(asked, async (device) => {
    const { superblock, layout } = device;
    const rows: [string, string | number | bigint][] = [
      ['device', superblock.deviceId],
      ['cluster', superblock.clusterId],
      ['generation', superblock.deviceGeneration],
      ['capacity', `${superblock.capacityBytes} bytes (${sizeText(superblock.capacityBytes)})`],
      ['files', layout.isPair ? 'a pair: log and pages in a file of their own' : 'one'],
      ['log', `two segments of ${sizeText(layout.segmentBytes)}; replay begins in ${superblock.firstSegment}`],
      ['metadata pages', layout.pageCount],
      ['data blocks', `${layout.dataBlocks} of 4 KiB, ${layout.reserveBlocks} of them in reserve`],
      ['filled ahead', `to block ${superblock.filledBlocks}, page ${superblock.filledPages}`],
      ['superblock', `sequence ${superblock.sequence}`],
      ['checkpoint', `${superblock.checkpoint}, root page ${superblock.rootPage}`],
      ['log generation', superblock.logGeneration],
      ['first group', superblock.firstGroupSequence],
      ['known flushed', superblock.knownFlushed],
      ['database seen', `generation ${superblock.databaseGeneration}, sequence ${superblock.highestSequence}`],
    ];
    await printRows(asked.output, rows);
    const { unitCount, freeBlocks, freePages, catalogueCount } = await device.contents();
    await printRows(asked.output, [
      ['units', unitCount],
      ['free', `${freeBlocks} blocks (${sizeText(freeBlocks * BLOCK_BYTES)}), ${freePages} pages`],
      ['catalogues', catalogueCount],
    ]);
    return 0;
  });
}

async function printRows(
  output: ToolOutput,
  rows: readonly (readonly [string, string | number | bigint])[],
): Promise<void> {
  for (const [name, value] of rows) await output.print(`${name.padEnd(16)} ${value}`);
}

function dump(asked: Asked): Promise<number> {
  const limit = wholeNumber('limit', asked.options.limit, Infinity);
  const [treeName] = asked.words;
  return inspect(asked, async (device) => {
    const entries = await device.entries(treeName);
    if (entries === undefined) {
      const names = (await device.treeNames()).join(', ');
      throw new UsageError(`${asked.path} has no tree '${treeName}'; it has ${names}`);
    }
    let count = 0;
    for await (const { key, value } of entries) {
      await asked.output.print(`${key}  ${value}`);
      count += 1;
      if (count >= limit) break;
    }
    return 0;
  });
}

function fsck(asked: Asked): Promise<number> {
  return inspect(asked, async (device) => {
    const report = await device.check();
    for (const problem of report.problems) asked.output.complain(problem);
    // Harmless, and mended by the next write: a crash while they were written leaves them so, too.
    for (const copy of report.copies) asked.output.complain(`${asked.path}: ${copy}; the others are whole`);
    const { unitCount, usedBlocks, freeBlocks, pageCount, catalogueCount } = report;
    const verdict = report.problems.length === 0 ? 'sound' : 'NOT SOUND';
    const figures = `${unitCount} units, ${usedBlocks} blocks used and ${freeBlocks} free, ${pageCount} pages, ${catalogueCount} catalogues`;
    await asked.output.print(`${asked.path}: ${verdict}; ${figures}`);
    if (verdict === 'sound') return 0;
    asked.output.complain('Replace the device and let its units be rebuilt.');
    return 1;
  });
}

const PROGRESS_BYTES = 1024 ** 3;

function scrub(asked: Asked): Promise<number> {
  const { path, options, output } = asked;
  const after = options.after === undefined ? undefined : unitFrom(options.after);
  const bytesPerSecond = options.rate === undefined ? undefined : sizeFromText(options.rate);
  if (options.rate !== undefined && (bytesPerSecond ?? 0) < 1)
    throw new UsageError(`--rate is bytes a second, or as 64MiB, not '${options.rate}'`);
  const { signal } = output;
  return inspect(asked, async (device) => {
    // Whoever goes on with a scrub has had the pages verified at its beginning.
    const pageProblems = after === undefined ? await device.scrubPages({ bytesPerSecond, signal }) : [];
    for (const problem of pageProblems) output.complain(problem);
    let sizeBytes = 0;
    const report = await device.scrub({
      after,
      bytesPerSecond,
      signal,
      onUnit: (unit, finding, unitSizeBytes) => {
        if (finding === 'damaged') output.complain(`${path}: unit ${unitName(unit)} does not verify`);
        const before = Math.floor(sizeBytes / PROGRESS_BYTES);
        sizeBytes += unitSizeBytes;
        if (Math.floor(sizeBytes / PROGRESS_BYTES) > before)
          output.complain(`${sizeText(sizeBytes)} verified, up to unit ${unitName(unit)}`);
      },
    });
    const { damaged, unitCount, last } = report;
    const isWhole = report.isWhole && signal?.aborted !== true;
    const figures = `${unitCount} units with ${sizeText(report.sizeBytes)} read, ${damaged.length} damaged; ${pageProblems.length} damaged pages`;
    const isSound = damaged.length === 0 && pageProblems.length === 0;
    await output.print(`${path}: ${isSound ? 'sound' : 'NOT SOUND'}${isWhole ? '' : ' so far'}; ${figures}`);
    const next = last ?? after;
    if (!isWhole) {
      const advice = next === undefined ? 'begin anew' : `go on with --after ${unitName(next)}`;
      output.complain(`${path}: ended before the last unit; ${advice}`);
    }
    return isSound && isWhole ? 0 : 1;
  });
}

const unitName = ({ chunkId, unitIndex }: UnitKey): string => `${chunkId}/${unitIndex}`;

function unitFrom(text: string): UnitKey {
  const found = /^([0-9a-f]{32})\/(\d{1,3})$/.exec(text);
  if (found === null || Number(found[2]) > 255) throw new UsageError(`--after is CHUNK/INDEX, not '${text}'`);
  return { chunkId: found[1], unitIndex: Number(found[2]) };
}

function map(asked: Asked): Promise<number> {
  return inspect(asked, async (device) => {
    const { extents, problems } = await device.check();
    for (const problem of problems) asked.output.complain(problem);
    for (const line of mapLines(device.layout, extents)) await asked.output.print(line);
    return problems.length === 0 ? 0 : 1;
  });
}
