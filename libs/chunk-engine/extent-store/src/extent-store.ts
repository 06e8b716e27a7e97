/**
 * One device file that keeps units. A unit is written once, read verified, and freed; everything acknowledged survives a
 * crash at any moment. What lies where: device-layout.ts, superblock.ts, log-group.ts and FORMAT.md.
 */
import { BLOCK_BYTES, systemClock, type Clock, type Deadline } from '@holdfast/stdx';
import { runsOf } from './data-runs.js';
import { formatDevice } from './device-format.js';
import { layoutOf } from './device-layout.js';
import { DeviceState } from './device-state.js';
import type { DeviceFile, DevicePort } from './device.port.js';
import { ExtentStoreError } from './extent-store-error.js';
import { FileDevicePort } from './file-device.js';
import { GroupCommitter } from './group-committer.js';
import type { UnitEntry } from './log-group.js';
import { openDevice, type OpenedDevice } from './device-opening.js';
import { PreparedSpace, type PreparedSpaceOptions } from './prepared-space.js';
import { checksumsOf } from './slice-checksums.js';
import { checkUnitHeader, checkUnitKey, sortKeyOf, type UnitHeader, type UnitKey } from './unit-header.js';
import { pullExactly } from './unit-pull.js';
import { readUnit } from './unit-reader.js';
import { recoverLog } from './log-recovery.js';
import { WriteAheadLog } from './write-ahead-log.js';

export interface FormatOptions {
  /** UUID, lower case. */
  readonly deviceId: string;
  /** UUID, lower case. */
  readonly clusterId: string;
  /** Generation of the device: which replacement in its slot it is. */
  readonly generation: number;
  /** Size of the file, fixed for its life; a multiple of 4 KiB. */
  readonly capacityBytes: number;
  /** Size of each of the two log halves; by default 1/32 of the capacity, between 64 KiB and 128 MiB. */
  readonly logHalfBytes?: number;
  readonly io?: DevicePort;
}

export interface OpenOptions {
  readonly clock?: Clock;
  readonly io?: DevicePort;
  readonly prepared?: PreparedSpaceOptions;
}

/** What identifies the device. */
export interface DeviceIdentity {
  readonly deviceId: string;
  readonly clusterId: string;
  /** Generation of the device, as formatted. */
  readonly generation: number;
  readonly capacityBytes: number;
}

/** Who asks for a free, as the database knows itself. */
export interface FreeAuthority {
  readonly clusterId: string;
  readonly generation: number;
  readonly sequence: bigint;
}

export interface StoredUnit {
  readonly header: UnitHeader;
  /** The whole unit, or the range asked for cut at the unit's end. */
  readonly bytes: Buffer;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ListOptions {
  /** Begin after this unit. */
  readonly after?: UnitKey;
  readonly limit: number;
  /** Only units written before this wall time. */
  readonly writtenBeforeMs?: number;
}

export interface DeviceStatus {
  readonly capacityBytes: number;
  /** Bytes that new units may still take, the reserve already taken off. */
  readonly freeBytes: number;
  readonly unitCount: number;
  readonly state: 'live' | 'full' | 'dead';
  /** Highest database sequence a free has named. */
  readonly highestSequence: bigint;
}

/** Units up to this size wait in memory for the data write of their group; larger ones are written at once. */
const GATHERED_MAX_BYTES = 256 * 1024;

export class ExtentStore {
  readonly superblock: DeviceIdentity;
  private readonly device: DeviceFile;
  /** Units being written: one writer per unit. */
  private readonly inFlight = new Map<string, Promise<unknown>>();
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly opened: OpenedDevice,
    private readonly state: DeviceState,
    private readonly committer: GroupCommitter,
    private readonly prepared: PreparedSpace,
  ) {
    const { deviceId, clusterId, deviceGeneration, capacityBytes } = opened.superblock;
    this.superblock = { deviceId, clusterId, generation: deviceGeneration, capacityBytes };
    this.device = opened.device;
  }

  /**
   * Makes a device of a file that is empty or not there.
   * @throws ExtentStoreError BadDevice when the file holds anything; RangeError for impossible sizes or ids
   */
  static async format(path: string, options: FormatOptions): Promise<void> {
    await formatDevice(options.io ?? new FileDevicePort(), path, options);
  }

  /**
   * Opens the device and replays its log; writes nothing yet.
   * @throws ExtentStoreError BadDevice (what is wrong and what to do) or DeviceBusy
   */
  static async open(path: string, options: OpenOptions = {}): Promise<ExtentStore> {
    const opened = await openDevice(options.io ?? new FileDevicePort(), path);
    try {
      const { device, superblock } = opened;
      const layout = layoutOf(superblock.capacityBytes, superblock.logHalfBytes);
      const { index, allocator, authority, lastSequence } = await recoverLog(device, path, layout, superblock);
      const state = new DeviceState(path, layout, index, allocator, authority, options.clock ?? systemClock);
      const log = new WriteAheadLog(device, path, layout, superblock, lastSequence);
      const prepared = new PreparedSpace(device, state, options.prepared);
      state.prepared = prepared;
      return new ExtentStore(opened, state, new GroupCommitter(device, log, state), prepared);
    } catch (error) {
      await opened.release();
      throw error;
    }
  }

  /**
   * Resolves when the unit is durable: 'unchanged' when the same unit with equal bytes was there already. `pull` is called
   * at most once, after space is claimed, and yields exactly `sizeBytes`; its buffers must not change until then. The
   * caller bounds how long a pull may hang: the claimed space is held meanwhile.
   * @throws ExtentStoreError DeviceFull, DeviceDead, UnitExists, UnitDamaged (what is there does not verify), LateWrite,
   *   ShortTransfer; RangeError for a header that no record can hold
   */
  async write(
    header: UnitHeader,
    sizeBytes: number,
    pull: () => AsyncIterable<Buffer>,
    deadline: Deadline,
  ): Promise<'written' | 'unchanged'> {
    checkUnitHeader(header);
    if (sizeBytes !== header.unitSizeBytes) throw new RangeError(`unitSizeBytes is not sizeBytes, ${sizeBytes}`);
    const key = sortKeyOf(header);
    for (let other = this.inFlight.get(key); other !== undefined; other = this.inFlight.get(key)) await other;
    if (this.state.dead) throw this.state.deathError();
    this.refuseLate(deadline);
    const existing = this.state.index.get(key);
    if (existing !== undefined) return this.compareWithStored(existing, header, pull);
    const writing = this.writeNew(header, pull, deadline);
    this.inFlight.set(
      key,
      writing.then(
        () => undefined,
        () => undefined,
      ),
    );
    try {
      await writing;
    } finally {
      this.inFlight.delete(key);
    }
    return 'written';
  }

  /**
   * The unit, or a range of it cut at its end; only the 64 KiB slices it touches are read and verified. Undefined when the
   * unit is not here.
   * @throws ExtentStoreError UnitDamaged when the bytes cannot be read or do not verify
   */
  async read(chunkId: string, unitIndex: number, range?: ByteRange): Promise<StoredUnit | undefined> {
    const key = keyOf(chunkId, unitIndex);
    const entry = this.state.index.get(key);
    if (entry === undefined) return undefined;
    const { unitSizeBytes } = entry.header;
    const { offset, length } = range ?? { offset: 0, length: unitSizeBytes };
    if (!(offset >= 0 && length >= 0)) throw new RangeError(`range ${offset}+${length}`);
    const from = Math.min(offset, unitSizeBytes);
    const to = Math.min(unitSizeBytes, from + length);
    const bytes = await readUnit(this.device, this.state.layout, entry, from, to);
    if (bytes !== undefined) return { header: entry.header, bytes };
    // Freed while it was read: its blocks may hold another unit by now.
    if (this.state.index.get(key) !== entry) return undefined;
    throw this.damaged(key);
  }

  stat(chunkId: string, unitIndex: number): UnitHeader | undefined {
    return this.state.index.get(keyOf(chunkId, unitIndex))?.header;
  }

  /**
   * Frees units; resolves to how many were there, when their absence is durable. Absent ones are fine. The highest
   * database generation and sequence named are kept on the device.
   * @throws ExtentStoreError ForeignDatabase, DeviceDead
   */
  async free(units: readonly UnitKey[], authority: FreeAuthority): Promise<number> {
    for (const unit of units) checkUnitKey(unit);
    this.checkAuthority(authority);
    if (this.state.dead) throw this.state.deathError();
    this.state.authority = { generation: authority.generation, sequence: authority.sequence };
    const parts: Promise<number>[] = [];
    const { freeKeysMax } = this.committer;
    for (let from = 0; from === 0 || from < units.length; from += freeKeysMax) {
      parts.push(this.committer.submitFree(units.slice(from, from + freeKeysMax)));
    }
    return (await Promise.all(parts)).reduce((sum, count) => sum + count, 0);
  }

  /** Headers by chunk id and unit index, at most `limit`; fewer mean that there are no more. */
  list({ after, limit, writtenBeforeMs = Infinity }: ListOptions): UnitHeader[] {
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`limit: ${limit}`);
    if (after !== undefined) checkUnitKey(after);
    const page: UnitHeader[] = [];
    for (const { header } of this.state.index.inOrder(after && sortKeyOf(after))) {
      if (header.writtenAtMs >= writtenBeforeMs) continue;
      page.push(header);
      if (page.length === limit) break;
    }
    return page;
  }

  status(): DeviceStatus {
    const { allocator, layout, index, authority } = this.state;
    const liveOrFull = this.state.full ? 'full' : 'live';
    return {
      capacityBytes: layout.capacityBytes,
      freeBytes: Math.max(0, allocator.freeBlocks + this.prepared.heldBlocks - layout.reserveBlocks) * BLOCK_BYTES,
      unitCount: index.size,
      state: this.state.dead ? 'dead' : liveOrFull,
      highestSequence: authority.sequence,
    };
  }

  /** Settles what waits, closes the file and gives the device back. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  private async closeOnce(): Promise<void> {
    try {
      await this.prepared.stop();
      await this.committer.close();
    } finally {
      await this.opened.release();
    }
  }

  private async writeNew(header: UnitHeader, pull: () => AsyncIterable<Buffer>, deadline: Deadline): Promise<void> {
    const { unitSizeBytes } = header;
    const extents = this.state.claim(unitSizeBytes);
    try {
      const bytes = await pullExactly(pull, unitSizeBytes);
      this.refuseLate(deadline);
      const entry: UnitEntry = { header: copyHeader(header), extents, checksums: checksumsOf(header, bytes) };
      const runs = runsOf(this.state.layout, extents, bytes);
      if (unitSizeBytes <= GATHERED_MAX_BYTES) await this.committer.submitUnit(entry, runs, deadline);
      else {
        await this.committer.begin();
        await this.committer.writeData(runs);
        await this.committer.submitUnit(entry, [], deadline);
      }
    } catch (error) {
      this.state.abandonClaim(extents, unitSizeBytes);
      throw error;
    }
  }

  private async compareWithStored(
    existing: UnitEntry,
    header: UnitHeader,
    pull: () => AsyncIterable<Buffer>,
  ): Promise<'unchanged'> {
    const key = sortKeyOf(header);
    if (!sameUnit(existing.header, header)) throw this.exists(key);
    const bytes = Buffer.concat(await pullExactly(pull, header.unitSizeBytes));
    const stored = await readUnit(this.device, this.state.layout, existing);
    if (stored === undefined) throw this.damaged(key);
    if (!stored.equals(bytes)) throw this.exists(key);
    return 'unchanged';
  }

  private refuseLate(deadline: Deadline): void {
    if (!deadline.passed) return;
    throw new ExtentStoreError('LateWrite', `${this.state.path}: the deadline of the write has passed`);
  }

  private checkAuthority({ clusterId, generation, sequence }: FreeAuthority): void {
    const seen = this.state.authority;
    if (!Number.isSafeInteger(generation) || generation < 0) throw new RangeError(`generation: ${generation}`);
    if (BigInt.asUintN(64, sequence) !== sequence) throw new RangeError(`sequence: ${sequence}`);
    const isSame = clusterId === this.superblock.clusterId;
    if (isSame && generation >= seen.generation && sequence >= seen.sequence) return;
    const known = `cluster ${this.superblock.clusterId}, generation ${seen.generation}, sequence ${seen.sequence}`;
    const asked = `cluster ${clusterId}, generation ${generation}, sequence ${sequence}`;
    throw new ExtentStoreError('ForeignDatabase', `${this.state.path} knows ${known} and frees nothing for ${asked}`);
  }

  private exists(key: string): ExtentStoreError {
    return new ExtentStoreError(
      'UnitExists',
      `${this.state.path} holds unit ${key} with another header or other bytes`,
    );
  }

  private damaged(key: string): ExtentStoreError {
    return new ExtentStoreError('UnitDamaged', `${this.state.path}: the bytes of unit ${key} do not verify`);
  }
}

function keyOf(chunkId: string, unitIndex: number): string {
  const key = { chunkId, unitIndex };
  checkUnitKey(key);
  return sortKeyOf(key);
}

/** Only the fields of a header, so that nothing else of the caller stays in memory. */
function copyHeader(header: UnitHeader): UnitHeader {
  const { chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId, writtenAtMs } = header;
  return Object.freeze({ chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId, writtenAtMs });
}

/** Equal but for the time of writing, which a repeated write may name anew. */
function sameUnit(one: UnitHeader, other: UnitHeader): boolean {
  return (
    one.k === other.k &&
    one.m === other.m &&
    one.chunkSizeBytes === other.chunkSizeBytes &&
    one.unitSizeBytes === other.unitSizeBytes &&
    one.bucketId === other.bucketId &&
    one.writeId === other.writeId
  );
}
