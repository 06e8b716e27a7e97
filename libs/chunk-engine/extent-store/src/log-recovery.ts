/**
 * Replays the active log half. Let F be the highest known-flushed sequence that the superblock or any valid group of the
 * half names, including groups behind a damaged one.
 *
 * At or below F everything was flushed: a missing or invalid group is corruption, reported, and nothing is discarded.
 * (Data is not read there: it verifies when it is read, and its blocks may have been freed and reused later.)
 * Above F, replay ends at the first group that is invalid or whose units do not verify against the data area; that group
 * and everything after it is a write nobody was told about, and is dropped.
 */
import { BLOCK_BYTES, MIB } from '@holdfast/stdx';
import { logHalfStart, type DeviceLayout, type Extent } from './device-layout.js';
import type { DeviceFile } from './device.port.js';
import { ExtentAllocator } from './extent-allocator.js';
import { ExtentStoreError } from './extent-store-error.js';
import { decodeGroup, decodeRecords, peekGroupBytes, type DecodedGroup, type LogRecord } from './log-group.js';
import { uuidToBytes, type Superblock } from './superblock.js';
import { UnitIndex } from './unit-index.js';
import { sortKeyOf } from './unit-header.js';
import { readUnit } from './unit-reader.js';
import type { SeenAuthority } from './write-ahead-log.js';

const WINDOW_BYTES = MIB;

export interface RecoveredState {
  readonly index: UnitIndex;
  readonly allocator: ExtentAllocator;
  readonly authority: SeenAuthority;
  /** Sequence of the last group kept. */
  readonly lastSequence: number;
}

export async function recoverLog(
  device: DeviceFile,
  path: string,
  layout: DeviceLayout,
  superblock: Superblock,
): Promise<RecoveredState> {
  const replay = new LogReplay(device, path, layout, superblock);
  await replay.run();
  return {
    index: replay.index,
    allocator: allocatorFor(replay.index, layout, path),
    authority: replay.authority,
    lastSequence: replay.lastSequence,
  };
}

/** Everything no unit holds is free; two units on one block are corruption. */
function allocatorFor(index: UnitIndex, layout: DeviceLayout, path: string): ExtentAllocator {
  const used: Extent[] = [];
  for (const entry of index.values()) used.push(...entry.extents);
  used.sort((a, b) => a.start - b.start);
  const allocator = new ExtentAllocator(layout.dataBlocks);
  let from = 0;
  for (const { start, blocks } of [...used, { start: layout.dataBlocks, blocks: 0 }]) {
    if (start < from || start + blocks > layout.dataBlocks) {
      throw badLog(path, layout.dataStart + start * BLOCK_BYTES, 'two units hold this block, or it is off the device');
    }
    if (start > from) allocator.release([{ start: from, blocks: start - from }]);
    from = start + blocks;
  }
  return allocator;
}

class LogReplay {
  readonly index = new UnitIndex();
  authority: SeenAuthority;
  lastSequence: number;
  private knownFlushed: number;
  /** Valid groups not yet known to be flushed, with where they lie. */
  private unproven: { group: DecodedGroup; position: number }[] = [];
  private readonly window: LogWindow;

  constructor(
    private readonly device: DeviceFile,
    private readonly path: string,
    private readonly layout: DeviceLayout,
    superblock: Superblock,
  ) {
    this.authority = { generation: superblock.databaseGeneration, sequence: superblock.highestSequence };
    this.lastSequence = superblock.firstGroupSequence - 1;
    this.knownFlushed = superblock.knownFlushed;
    this.window = new LogWindow(device, path, layout, superblock);
  }

  async run(): Promise<void> {
    let position = this.window.start;
    let expected = this.lastSequence + 1;
    for (;;) {
      const group = await this.window.groupAt(position);
      if (group === undefined || group.sequence !== expected) break;
      this.knownFlushed = Math.max(this.knownFlushed, group.knownFlushed);
      this.unproven.push({ group, position });
      this.applyProven();
      position += group.sizeBytes;
      expected += 1;
    }
    await this.lookBehind(position);
    if (expected <= this.knownFlushed) {
      throw badLog(this.path, position, `log group ${expected} was flushed and is not valid`);
    }
    this.applyProven();
    await this.applyUnproven();
  }

  /** Groups behind the first invalid one are not replayed, but they know what was flushed. */
  private async lookBehind(position: number): Promise<void> {
    for (let at = position + BLOCK_BYTES; at < this.window.end; at += BLOCK_BYTES) {
      const group = await this.window.groupAt(at);
      if (group !== undefined) this.knownFlushed = Math.max(this.knownFlushed, group.knownFlushed);
    }
  }

  private applyProven(): void {
    while (this.unproven.length > 0 && this.unproven[0].group.sequence <= this.knownFlushed) {
      const { group, position } = this.unproven.shift() as { group: DecodedGroup; position: number };
      this.apply(group, this.decode(group, position), position);
    }
  }

  private async applyUnproven(): Promise<void> {
    for (const { group, position } of this.unproven) {
      const records = this.decode(group, position);
      if (!(await this.dataVerifies(records))) return;
      this.apply(group, records, position);
    }
  }

  private async dataVerifies(records: readonly LogRecord[]): Promise<boolean> {
    for (const record of records) {
      if (record.kind !== 'unit') continue;
      if ((await readUnit(this.device, this.layout, record.entry)) === undefined) return false;
    }
    return true;
  }

  private decode(group: DecodedGroup, position: number): LogRecord[] {
    try {
      return [...decodeRecords(group.records)];
    } catch (cause) {
      throw badLog(this.path, position, `log group ${group.sequence} has a record that makes no sense`, cause);
    }
  }

  private apply(group: DecodedGroup, records: readonly LogRecord[], position: number): void {
    for (const record of records) {
      if (record.kind === 'authority') {
        this.authority = { generation: record.generation, sequence: record.sequence };
        continue;
      }
      const key = sortKeyOf(record.kind === 'unit' ? record.entry.header : record.key);
      const isThere = this.index.get(key) !== undefined;
      if (isThere === (record.kind === 'unit')) {
        throw badLog(this.path, position, `log group ${group.sequence} contradicts the groups before it about ${key}`);
      }
      if (record.kind === 'unit') this.index.add(record.entry);
      else this.index.delete(key);
    }
    this.lastSequence = group.sequence;
  }
}

/** Reads the active half through a window, so that small groups do not cost a read each. */
class LogWindow {
  readonly start: number;
  readonly end: number;
  private readonly buffer: Buffer;
  private windowStart = -1;
  private windowEnd = -1;
  private readonly deviceIdBytes: Buffer;

  constructor(
    private readonly device: DeviceFile,
    private readonly path: string,
    private readonly layout: DeviceLayout,
    private readonly superblock: Superblock,
  ) {
    this.start = logHalfStart(layout, superblock.activeHalf);
    this.end = this.start + layout.logHalfBytes;
    this.buffer = Buffer.allocUnsafeSlow(Math.min(layout.logHalfBytes, WINDOW_BYTES));
    this.deviceIdBytes = uuidToBytes(superblock.deviceId);
  }

  /** The valid group at this position; its records are a copy. */
  async groupAt(position: number): Promise<DecodedGroup | undefined> {
    if (position + BLOCK_BYTES > this.end) return undefined;
    const header = await this.bytesAt(position, BLOCK_BYTES);
    const { logGeneration } = this.superblock;
    const sizeBytes = peekGroupBytes(header, { deviceIdBytes: this.deviceIdBytes, position, logGeneration });
    if (sizeBytes === undefined || sizeBytes > this.layout.groupMaxBytes || position + sizeBytes > this.end) {
      return undefined;
    }
    const group = decodeGroup(await this.bytesAt(position, sizeBytes));
    return group && { ...group, records: Buffer.from(group.records) };
  }

  private async bytesAt(position: number, sizeBytes: number): Promise<Buffer> {
    if (position < this.windowStart || position + sizeBytes > this.windowEnd) {
      const wanted = Math.min(this.buffer.length, this.end - position);
      this.buffer.fill(0);
      await this.device.read(this.buffer.subarray(0, wanted), position).catch((cause: unknown) => {
        // Not the same as a torn tail: what stands there may have been acknowledged.
        throw badLog(this.path, position, 'the log cannot be read', cause);
      });
      this.windowStart = position;
      this.windowEnd = position + wanted;
    }
    return this.buffer.subarray(position - this.windowStart, position - this.windowStart + sizeBytes);
  }
}

function badLog(path: string, position: number, what: string, cause?: unknown): ExtentStoreError {
  const advice =
    'Nothing was changed. Replace the device and let its units be rebuilt, or keep a copy for a closer look.';
  return new ExtentStoreError('BadDevice', `${path} at byte ${position}: ${what}. ${advice}`, { cause });
}
