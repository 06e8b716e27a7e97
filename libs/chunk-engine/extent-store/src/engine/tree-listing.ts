/** Entries of every tree of a device as text, for people who look into one. */
import { BLOCK_BYTES } from '@holdfast/stdx';
import { decodeExtent, decodeUnit, UNIT_KEY_BYTES } from '../units/unit-record.codec.js';
import type { BTree } from '../tree/b-tree.js';
import type { DeviceParts } from './device-state.js';
import { decodeCatalogue } from './root-page.codec.js';

export interface ReadableEntry {
  readonly key: string;
  readonly value: string;
}

type Describe = (key: Buffer, value: Buffer) => ReadableEntry;

interface NamedTree {
  readonly tree: Pick<BTree, 'scan'>;
  readonly describe: Describe;
}

const CATALOGUE_PREFIX = 'catalogue:';

/** Names that `openTree` takes: the trees of the engine, then one per catalogue. */
export async function treeNames(parts: DeviceParts): Promise<string[]> {
  const names = [...Object.keys(engineTrees(parts))];
  for await (const { key } of parts.catalogues.meta.scan()) names.push(`${CATALOGUE_PREFIX}${printable(key)}`);
  return names;
}

/** All entries in the order of their keys. Errors: MetadataDamaged. */
export async function* listTree({ tree, describe }: NamedTree): AsyncGenerator<ReadableEntry> {
  for await (const { key, value } of tree.scan()) yield describe(key, value);
}

/** Undefined when the device has no tree of this name. */
export async function openTree(parts: DeviceParts, name: string): Promise<NamedTree | undefined> {
  const own = engineTrees(parts);
  if (Object.hasOwn(own, name)) return own[name];
  if (!name.startsWith(CATALOGUE_PREFIX)) return undefined;
  for await (const { key } of parts.catalogues.meta.scan()) {
    if (`${CATALOGUE_PREFIX}${printable(key)}` !== name) continue;
    const found = await parts.catalogues.get(key);
    if (found !== undefined) return { tree: found.tree, describe: describeBytes };
  }
  return undefined;
}

function engineTrees({ table, freeByOffset, freeByLength, catalogues }: DeviceParts): Record<string, NamedTree> {
  return {
    // Units that stand in the log alone, too: it has been replayed.
    cob: { tree: { scan: () => table.scan() }, describe: describeUnit },
    extmap: { tree: table.extmap, describe: describeExtent },
    'balloc-offset': {
      tree: freeByOffset,
      describe: (key, value) => ({ key: `block ${key.readUInt32BE(0)}`, value: `${value.readUInt32LE(0)} blocks` }),
    },
    'balloc-length': {
      tree: freeByLength,
      describe: (key) => ({ key: `${key.readUInt32BE(0)} blocks`, value: `from block ${key.readUInt32BE(4)}` }),
    },
    catalogues: { tree: catalogues.meta, describe: describeCatalogue },
  };
}

const unitText = (key: Buffer): string => `${key.toString('hex', 0, UNIT_KEY_BYTES - 1)}/${key[UNIT_KEY_BYTES - 1]}`;

/** A record may hold times that no calendar has. */
function timeText(atMs: number): string {
  const time = new Date(atMs);
  return Number.isNaN(time.valueOf()) ? `${atMs} ms` : time.toISOString();
}

function describeUnit(key: Buffer, value: Buffer): ReadableEntry {
  const unit = decodeUnit(key, value);
  const sizes = `${unit.unitSizeBytes} bytes of a chunk of ${unit.chunkSizeBytes}, ${unit.k}+${unit.m}`;
  return {
    key: unitText(key),
    value: `${sizes}, bucket ${unit.bucketId}, write ${unit.writeId}, ${timeText(unit.writtenAtMs)}`,
  };
}

function describeExtent(key: Buffer, value: Buffer): ReadableEntry {
  const { offset, start, blocks, checksums } = decodeExtent(key, value);
  const sums = checksums.map((sum) => sum.toString(16).padStart(8, '0')).join(' ');
  const last = start + blocks - 1;
  return { key: `${unitText(key)} + ${offset}`, value: `blocks ${start} to ${last}, CRC-32 ${sums}` };
}

function describeCatalogue(key: Buffer, value: Buffer): ReadableEntry {
  const { number, root } = decodeCatalogue(value);
  const place = root.page === 0 ? 'empty' : `root page ${root.page}, ${root.level + 1} levels`;
  return { key: printable(key), value: `tree ${number}, ${root.entryCount} entries at the last checkpoint, ${place}` };
}

const describeBytes: Describe = (key, value) => ({ key: printable(key), value: printable(value) });

/** Text as it is; other bytes, and the backslash, as \xNN. At most one block of it. */
function printable(bytes: Buffer): string {
  const shown = bytes
    .subarray(0, BLOCK_BYTES)
    .toString('latin1')
    .replace(/[^\x20-\x5b\x5d-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return bytes.length > BLOCK_BYTES ? `${shown}… (${bytes.length} bytes)` : shown;
}
