/**
 * The log: two halves, of which one is active. Groups are appended to the active half; when it is full, or when the
 * device was just opened, `renew` writes a snapshot of all live records into the other half and makes that one active:
 *
 *   1 superblock: a log generation that no group ever carried is reserved        (written and flushed)
 *   2 snapshot groups of that generation into the half that is not active        (written and flushed)
 *   3 superblock: that half and generation are active, F is the last group of it (written and flushed)
 *
 * A crash before 3 leaves the old half active and whole; groups of an unfinished snapshot carry a generation that is
 * never used again. A tail that recovery dropped is never replayed for the same reason: the first append after an open
 * is preceded by a renewal, and by nothing else that writes.
 */
import { assert } from '@holdfast/stdx';
import { groupPayloadMax, logHalfStart, type DeviceLayout } from './device-layout.js';
import type { DeviceFile } from './device.port.js';
import { GroupBuilder, groupBytesFor, unitRecordBytes, type UnitEntry } from './log-group.js';
import { readSuperblock, uuidToBytes, writeSuperblock, type Superblock } from './superblock.js';

/** The highest database generation and sequence that a free has named. */
export interface SeenAuthority {
  readonly generation: number;
  readonly sequence: bigint;
}

export class WriteAheadLog {
  private readonly deviceIdBytes: Buffer;
  private position = 0;
  private end = 0;
  private flushedSequence: number;
  private renewed = false;

  /** @param lastSequence sequence of the last group that recovery kept */
  constructor(
    private readonly device: DeviceFile,
    private readonly path: string,
    private readonly layout: DeviceLayout,
    private current: Superblock,
    private lastSequence: number,
  ) {
    this.deviceIdBytes = uuidToBytes(current.deviceId);
    this.flushedSequence = lastSequence;
  }

  /** Room for a group with so many bytes of records; never before the first renewal. */
  hasRoom(recordBytes: number): boolean {
    return this.renewed && this.position + groupBytesFor(recordBytes) <= this.end;
  }

  /** Writes the group; it is durable after the next flush of the device, which `noteFlush` reports. */
  async append(group: GroupBuilder): Promise<void> {
    assert(this.hasRoom(group.recordBytes), 'A group fits into its log half', { path: this.path, at: this.position });
    const sequence = this.lastSequence + 1;
    const { position } = this;
    const bytes = group.finish({
      deviceIdBytes: this.deviceIdBytes,
      position,
      logGeneration: this.current.reservedLogGeneration,
      sequence,
      knownFlushed: this.flushedSequence,
    });
    assert(bytes.length <= this.layout.groupMaxBytes, 'A group has a limit', { path: this.path, size: bytes.length });
    this.position += bytes.length;
    this.lastSequence = sequence;
    await this.device.write([bytes], position);
  }

  /** The device was flushed after the last append. */
  noteFlush(): void {
    this.flushedSequence = this.lastSequence;
  }

  /** Writes all live records into the other half and makes it the active one. Nothing may be appended meanwhile. */
  async renew(live: Iterable<UnitEntry>, authority: SeenAuthority): Promise<void> {
    await this.checkStillOwner();
    const half = this.current.activeHalf === 0 ? 1 : 0;
    const generation = this.current.reservedLogGeneration + 1;
    await this.putSuperblock({ reservedLogGeneration: generation });
    this.position = logHalfStart(this.layout, half);
    this.end = this.position + this.layout.logHalfBytes;
    this.renewed = true;
    const firstGroupSequence = this.lastSequence + 1;
    await this.appendSnapshot(live, authority);
    await this.device.flush();
    this.noteFlush();
    await this.putSuperblock({
      activeHalf: half,
      logGeneration: generation,
      firstGroupSequence,
      databaseGeneration: authority.generation,
      highestSequence: authority.sequence,
    });
  }

  /** Before a clean close: from now on the last group counts as flushed, so that damage to it is told from a torn tail. */
  async seal(): Promise<void> {
    if (this.renewed) await this.putSuperblock({});
  }

  private async appendSnapshot(live: Iterable<UnitEntry>, authority: SeenAuthority): Promise<void> {
    const recordBytesMax = groupPayloadMax(this.layout);
    let group = new GroupBuilder(recordBytesMax);
    group.addAuthority(authority.generation, authority.sequence);
    for (const entry of live) {
      if (group.recordBytes + unitRecordBytes(entry) > recordBytesMax) {
        await this.append(group);
        group = new GroupBuilder(recordBytesMax);
      }
      group.addUnit(entry);
    }
    await this.append(group);
    assert(this.hasRoom(recordBytesMax), 'A snapshot leaves room to append', {
      path: this.path,
      at: this.position,
    });
  }

  private async putSuperblock(change: Partial<Superblock>): Promise<void> {
    this.current = {
      ...this.current,
      knownFlushed: this.flushedSequence,
      ...change,
      sequence: this.current.sequence + 1,
    };
    await writeSuperblock(this.device, this.current);
  }

  /** A superblock that is not ours means that two processes write this device: stop before more is lost. */
  private async checkStillOwner(): Promise<void> {
    const found = await readSuperblock(this.device, this.path);
    if (found.sequence === this.current.sequence && found.deviceId === this.current.deviceId) return;
    throw new Error(`${this.path}: superblock ${found.sequence} was written by another process`);
  }
}
