/**
 * One device that keeps units and catalogues. A unit is written once, read verified, and freed; everything acknowledged
 * survives a crash at any moment. What lies where: FORMAT.md, and the head of each file that writes a part of it.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { BLOCK_BYTES, MIB, type Clock, type Deadline } from '@holdfast/stdx';
import type { DevicePort } from './device/device.port.js';
import { notLent, type LentBytes } from './device/unit-memory.js';
import { FileDevicePort } from './device/file-device.js';
import { Catalogue } from './engine/catalogue.js';
import { CreateCatalogue, DropCatalogue } from './engine/catalogue-transactions.js';
import { Committer } from './engine/committer.js';
import { formatDevice, type FormatOptions } from './engine/device-format.js';
import { openDevice, type OpenedDevice } from './engine/device-opening.js';
import type { DeviceHealth, DeviceParts } from './engine/device-state.js';
import { checkDevice, type FsckReport } from './engine/fsck.js';
import { recover, type Recovered } from './engine/recovery.js';
import { scrubPages } from './engine/page-scrub.js';
import { scrub, type ScrubOptions, type ScrubReport } from './engine/scrub.js';
import type { ScrubPaceOptions } from './engine/scrub-pace.js';
import { unitBytes, type UnitBytesOptions } from './engine/unit-bytes.js';
import { FreeUnits } from './engine/unit-transactions.js';
import { UnitWriter } from './engine/unit-writer.js';
import { ExtentStoreError } from './extent-store-error.js';
import { KEY_MAX_BYTES, missing } from './tree/b-tree.js';
import type { Transaction } from './engine/transaction.js';
import { checkUnitHeader, checkUnitKey, type UnitHeader, type UnitKey } from './unit-header.js';
import { pullExactly, type Pull } from './unit-pull.js';
import { RecentUnits } from './units/recent-units.js';
import { decodeUnit, unitKeyBytes } from './units/unit-record.codec.js';

export interface OpenOptions {
  /** Of a pair, the file with log and metadata pages. */
  readonly metadataPath?: string;
  /** Memory for metadata pages. By default 32 MiB. */
  readonly cacheBytes?: number;
  /** Memory for small units that were read lately. By default none: each read is one of the device. */
  readonly recentUnitBytes?: number;
  readonly clock?: Clock;
  readonly io?: DevicePort;
  /** Lets those whose answer came go on, before the next group of the log is formed. */
  readonly turn?: () => Promise<void>;
  /** Resolves after a while: before something is tried again. */
  readonly pause?: () => Promise<void>;
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

/**
 * The whole unit, or the range asked for cut at the unit's end. Its bytes are lent: nobody may look at them once they are
 * released. Who cannot tell when that will be does not release them.
 */
export interface StoredUnit extends LentBytes {
  readonly header: UnitHeader;
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

const aWhile = (): Promise<void> => delay(500, undefined, { ref: false });
const CACHE_BYTES = 32 * MIB;
const CACHE_PAGES_MIN = 32;
/** A unit whose extents were reused while it was read is looked up again so often. */
const READ_TRIES = 3;

export class ExtentStore {
  readonly superblock: DeviceIdentity;
  private readonly parts: DeviceParts;
  private readonly health: DeviceHealth;
  private readonly committer: Committer;
  private readonly writer: UnitWriter;
  /** Units being written, one writer for each, and those that wait for it. */
  private readonly inFlight = new Map<string, (() => void)[] | undefined>();
  private readonly recent: RecentUnits;
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly opened: OpenedDevice,
    private readonly recovered: Recovered,
    turn: () => Promise<void>,
    recentUnitBytes = 0,
  ) {
    const { deviceId, clusterId, deviceGeneration, capacityBytes } = opened.superblock;
    this.superblock = { deviceId, clusterId, generation: deviceGeneration, capacityBytes };
    this.parts = recovered.parts;
    this.health = recovered.health;
    this.committer = new Committer(this.parts, this.health, recovered.checkpointer, { turn });
    this.writer = new UnitWriter(this.parts, this.health, this.committer);
    this.recent = new RecentUnits(recentUnitBytes);
  }

  /**
   * Makes a device of a file (or pair) that is empty or not there.
   * @throws ExtentStoreError BadDevice when the file holds anything; RangeError for impossible sizes or ids
   */
  static async format(path: string, options: FormatOptions & { readonly io?: DevicePort }): Promise<void> {
    await formatDevice(options.io ?? new FileDevicePort(), path, options);
  }

  /**
   * Opens the device and replays its log in memory; writes nothing yet.
   * @throws ExtentStoreError BadDevice or MetadataDamaged (what is wrong and what to do) or DeviceBusy
   */
  static async open(path: string, options: OpenOptions = {}): Promise<ExtentStore> {
    const { io = new FileDevicePort(), metadataPath, clock, cacheBytes = CACHE_BYTES, pause = aWhile } = options;
    const opened = await openDevice(io, { path, metadataPath });
    try {
      const cachePagesMax = Math.max(CACHE_PAGES_MIN, Math.floor(cacheBytes / BLOCK_BYTES));
      const recovered = await recover(opened, { path, clock, cachePagesMax, pause });
      return new ExtentStore(opened, recovered, options.turn ?? (() => nextTurn()), options.recentUnitBytes);
    } catch (error) {
      await opened.release();
      throw error;
    }
  }

  /**
   * Resolves when the unit is durable: 'unchanged' when the same unit with equal bytes was there already. One whose stored
   * bytes do not verify is written anew. `pull` is called at most once, after space is claimed, and yields exactly
   * `sizeBytes`; its buffers must not change until then. The caller bounds how long a pull may hang: the claimed space is
   * held meanwhile.
   * @throws ExtentStoreError DeviceFull, DeviceDead, UnitExists, LateWrite, ShortTransfer, MetadataDamaged; RangeError for a
   *   header that no record can hold
   */
  async write(
    header: UnitHeader,
    sizeBytes: number,
    pull: Pull,
    deadline: Deadline,
  ): Promise<'written' | 'rewritten' | 'unchanged'> {
    checkUnitHeader(header);
    if (sizeBytes !== header.unitSizeBytes) throw new RangeError(`unitSizeBytes is not sizeBytes, ${sizeBytes}`);
    const key = unitKeyBytes(header);
    const name = header.unitIndex === 0 ? header.chunkId : `${header.chunkId}/${header.unitIndex}`;
    const kept = copyHeader(header);
    while (this.inFlight.has(name)) await this.afterOther(name);
    this.health.check();
    this.refuseLate(deadline);
    this.inFlight.set(name, undefined);
    try {
      const found = this.parts.table.find(key);
      const existing = found === missing ? await this.parts.table.get(key) : found;
      if (existing !== undefined) return await this.writeAgain(key, existing, kept, pull, deadline);
      await this.writer.write(key, kept, pull, deadline, false);
      return 'written';
    } finally {
      const waiting = this.inFlight.get(name);
      this.inFlight.delete(name);
      waiting?.forEach((goOn) => goOn());
    }
  }

  /**
   * The unit, or a range of it cut at its end; only the 64 KiB pieces it touches are read and verified. Undefined when the
   * unit is not here. The bytes are not to be changed: other readers may be given the same.
   * @throws ExtentStoreError DeviceDead instead of an absence that may be a free that never became durable; UnitDamaged when the bytes cannot be read or do not verify, MetadataDamaged
   */
  async read(chunkId: string, unitIndex: number, range?: ByteRange): Promise<StoredUnit | undefined> {
    if (range !== undefined && !(range.offset >= 0 && range.length >= 0))
      throw new RangeError(`range ${range.offset}+${range.length}`);
    const recent = this.recent.get(chunkId, unitIndex);
    if (recent !== undefined) return { header: recent.header, ...notLent(partOf(recent.bytes, range)) };
    const key = { chunkId, unitIndex };
    checkUnitKey(key);
    const { moment } = this.recent;
    const unit = await this.readVerified(unitKeyBytes(key), { range });
    if (unit === undefined) this.refuseAbsence();
    else this.recent.add(unit.header, unit.bytes, moment);
    return unit;
  }

  async stat(chunkId: string, unitIndex: number): Promise<UnitHeader | undefined> {
    const unit = { chunkId, unitIndex };
    checkUnitKey(unit);
    const header = await this.parts.table.get(unitKeyBytes(unit));
    if (header === undefined) this.refuseAbsence();
    return header;
  }

  /**
   * Frees units; resolves to how many were there, when their absence is durable. Absent ones are fine. The highest
   * database generation and sequence named are kept on the device.
   * @throws ExtentStoreError ForeignDatabase, DeviceDead, MetadataDamaged
   */
  async free(units: readonly UnitKey[], authority: FreeAuthority): Promise<number> {
    for (const unit of units) checkUnitKey(unit);
    this.checkAuthority(authority);
    const seen = { generation: authority.generation, sequence: authority.sequence };
    this.recovered.checkpointer.authority = seen;
    for (const { chunkId } of units) this.recent.beginFree(chunkId);
    const parts: Promise<number>[] = [];
    const { freeKeysMax } = this.parts.layout;
    for (let from = 0; from === 0 || from < units.length; from += freeKeysMax) {
      parts.push(this.submit(new FreeUnits(this.parts, units.slice(from, from + freeKeysMax), seen)));
    }
    try {
      return (await Promise.all(parts)).reduce((sum, count) => sum + count, 0);
    } finally {
      for (const { chunkId } of units) this.recent.endFree(chunkId);
    }
  }

  /** Headers by chunk id and unit index, at most `limit`; fewer mean that there are no more. Errors: MetadataDamaged. */
  async list({ after, limit, writtenBeforeMs = Infinity }: ListOptions): Promise<UnitHeader[]> {
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`limit: ${limit}`);
    if (after !== undefined) checkUnitKey(after);
    // A zero behind it is the first key after it.
    const from = after === undefined ? undefined : Buffer.concat([unitKeyBytes(after), Buffer.alloc(1)]);
    const page: UnitHeader[] = [];
    for await (const { key, value } of this.parts.table.scan(from)) {
      const header = decodeUnit(key, value);
      if (header.writtenAtMs >= writtenBeforeMs) continue;
      page.push(header);
      if (page.length === limit) break;
    }
    return page;
  }

  /** Makes a catalogue. Errors: CatalogueExists, DeviceFull, DeviceDead. */
  async createCatalogue(name: Buffer): Promise<Catalogue> {
    if (name.length > KEY_MAX_BYTES)
      throw new ExtentStoreError('TooLarge', `a name has at most ${KEY_MAX_BYTES} bytes`);
    return this.handle(await this.submit(new CreateCatalogue(this.parts, name)));
  }

  /** Removes a catalogue with all its keys. Errors: CatalogueMissing, DeviceDead. */
  async dropCatalogue(name: Buffer): Promise<void> {
    await this.submit(new DropCatalogue(this.parts, name));
  }

  /** Errors: CatalogueMissing, MetadataDamaged. */
  async catalogue(name: Buffer): Promise<Catalogue> {
    const found = await this.parts.catalogues.get(name);
    if (found !== undefined) return this.handle(found);
    throw new ExtentStoreError('CatalogueMissing', `${this.parts.path} holds no catalogue ${name.toString('latin1')}`);
  }

  /** Names of all catalogues, in order. */
  async *catalogueNames(): AsyncGenerator<Buffer> {
    for await (const { key } of this.parts.catalogues.meta.scan()) yield key;
  }

  /** Resolves when all that was acknowledged before stands in the trees of a durable checkpoint. */
  async checkpoint(): Promise<void> {
    this.health.check();
    await this.committer.checkpoint();
  }

  /** Whether the device is whole in itself; nothing may be written meanwhile. */
  check(): Promise<FsckReport> {
    return checkDevice(this.parts);
  }

  /** Reads and verifies all units, or goes on with it; what is damaged is told, not changed. */
  scrub(options: ScrubOptions = {}): Promise<ScrubReport> {
    const verify = async (unit: UnitHeader): Promise<boolean> => {
      try {
        (await this.readVerified(unitKeyBytes(unit), { purpose: 'verify' }))?.release();
        return true;
      } catch (error) {
        if (error instanceof ExtentStoreError && error.code === 'UnitDamaged') return false;
        throw error;
      }
    };
    return scrub(this.parts, verify, options);
  }

  /** Reads and verifies all metadata pages; resolves to what is wrong with them. */
  scrubPages(options: ScrubPaceOptions = {}): Promise<string[]> {
    return scrubPages(this.parts, options);
  }

  status(): DeviceStatus {
    const { layout, table } = this.parts;
    const liveOrFull = this.writer.isFull ? 'full' : 'live';
    return {
      capacityBytes: layout.capacityBytes,
      freeBytes: Math.max(0, this.writer.roomBlocks) * BLOCK_BYTES,
      unitCount: table.unitCount,
      state: this.health.dead ? 'dead' : liveOrFull,
      highestSequence: this.recovered.checkpointer.authority.sequence,
    };
  }

  /** Settles what waits, closes the file and gives the device back. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  private async closeOnce(): Promise<void> {
    try {
      await this.committer.close();
    } finally {
      await this.opened.release();
    }
  }

  private handle(found: Awaited<CreateCatalogue['durable']>): Catalogue {
    return new Catalogue(this.parts, this.health, this.committer, found);
  }

  private async submit<Result>(transaction: Transaction<Result>): Promise<Result> {
    await this.committer.reserve(transaction.logBytes);
    this.committer.submit(transaction);
    return transaction.durable;
  }

  /**
   * A free is visible before it is durable. Where the device dies in between, the unit is there again at the next open: from
   * then on nothing is called absent.
   */
  private refuseAbsence(): void {
    if (this.health.dead) throw this.health.deathError();
  }

  private async readVerified(key: Buffer, options: UnitBytesOptions): Promise<StoredUnit | undefined> {
    for (let tries = 0; tries < READ_TRIES; tries += 1) {
      const header = await this.parts.table.get(key);
      if (header === undefined) return undefined;
      const found = await unitBytes(this.parts, key, header, options);
      if (found !== undefined) return { header, ...found };
      // Freed while it was read: its blocks may hold another unit by now.
    }
    throw this.damaged(key);
  }

  /** Resolves when the writer of this unit that is at work now is done. */
  private afterOther(name: string): Promise<void> {
    return new Promise((resolve) => this.inFlight.set(name, [...(this.inFlight.get(name) ?? []), resolve]));
  }

  private async writeAgain(
    key: Buffer,
    existing: UnitHeader,
    header: UnitHeader,
    pull: Pull,
    deadline: Deadline,
  ): Promise<'rewritten' | 'unchanged'> {
    if (!sameUnit(existing, header)) throw this.exists(key);
    const stored = await unitBytes(this.parts, key, existing, { purpose: 'verify' });
    if (stored === undefined) {
      await this.writer.write(key, header, pull, deadline, true);
      this.recent.remove(header.chunkId);
      return 'rewritten';
    }
    try {
      if (stored.bytes.equals(Buffer.concat(await pullExactly(pull, header.unitSizeBytes)))) return 'unchanged';
      throw this.exists(key);
    } finally {
      stored.release();
    }
  }

  private refuseLate(deadline: Deadline): void {
    if (!deadline.passed) return;
    throw new ExtentStoreError('LateWrite', `${this.parts.path}: the deadline of the write has passed`);
  }

  private checkAuthority({ clusterId, generation, sequence }: FreeAuthority): void {
    const seen = this.recovered.checkpointer.authority;
    if (!Number.isSafeInteger(generation) || generation < 0) throw new RangeError(`generation: ${generation}`);
    if (BigInt.asUintN(64, sequence) !== sequence) throw new RangeError(`sequence: ${sequence}`);
    const isSame = clusterId === this.superblock.clusterId;
    if (isSame && generation >= seen.generation && sequence >= seen.sequence) return;
    const known = `cluster ${this.superblock.clusterId}, generation ${seen.generation}, sequence ${seen.sequence}`;
    const asked = `cluster ${clusterId}, generation ${generation}, sequence ${sequence}`;
    throw new ExtentStoreError('ForeignDatabase', `${this.parts.path} knows ${known} and frees nothing for ${asked}`);
  }

  private exists(key: Buffer): ExtentStoreError {
    const message = `${this.parts.path} holds unit ${key.toString('hex')} with another header or other bytes`;
    return new ExtentStoreError('UnitExists', message);
  }

  private damaged(key: Buffer): ExtentStoreError {
    return new ExtentStoreError(
      'UnitDamaged',
      `${this.parts.path}: the bytes of unit ${key.toString('hex')} do not verify`,
    );
  }
}

function partOf(bytes: Buffer, range: ByteRange | undefined): Buffer {
  return range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length);
}

/** Only the fields of a header, so that nothing else of the caller stays in memory. */
function copyHeader(header: UnitHeader): UnitHeader {
  const { chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId, writtenAtMs } = header;
  return { chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId, writtenAtMs };
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
