/**
 * The log: two segments on the device, each mirrored in memory. Groups are appended to the active one; a checkpoint turns to
 * the other one, and gives the first back when it is durable. The mirror is what is written (no copy in between), what
 * reads of small units are served from until they have moved, and what the move to the data blocks is written from.
 *
 * Space is reserved before a transaction begins, so that one that began never waits for log space at its end.
 */
import { assert } from '@holdfast/stdx';
import { segmentStart, type DeviceLayout } from '../format/device-layout.js';
import { finishGroup, groupBytes, type GroupHeader } from './log-group.js';

export interface LogStart {
  readonly segment: 0 | 1;
  readonly generation: number;
  /** Sequence of the last group that is kept. */
  readonly lastSequence: number;
}

interface Waiter {
  readonly sizeBytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class LogSegments {
  generation: number;
  private active: 0 | 1;
  private used = 0;
  /** The other segment holds groups that no checkpoint covers yet. */
  private isOtherHeld = false;
  private sequence: number;
  private flushedSequence: number;
  private reservedBytes = 0;
  private readonly waiters: Waiter[] = [];
  private refusal: Error | undefined;

  constructor(
    private readonly layout: DeviceLayout,
    private readonly deviceIdBytes: Buffer,
    start: LogStart,
    /** What lies in both segments, one after the other; memory of the device that the log is on. */
    readonly mirror: Buffer,
  ) {
    this.active = start.segment;
    this.generation = start.generation;
    this.sequence = start.lastSequence;
    this.flushedSequence = start.lastSequence;
  }

  get lastSequence(): number {
    return this.sequence;
  }

  get knownFlushed(): number {
    return this.flushedSequence;
  }

  get activeSegment(): 0 | 1 {
    return this.active;
  }

  /** Part of the active segment that is in use, 0 to 1. */
  get usedShare(): number {
    return this.used / this.layout.segmentBytes;
  }

  get hasWaiters(): boolean {
    return this.waiters.length > 0;
  }

  /** Bytes that one transaction may need in the log. */
  get transactionMaxBytes(): number {
    return this.layout.groupMaxBytes;
  }

  /** Takes space for a transaction that needs so many bytes alone in a group; undefined, or a promise when it has to wait. */
  reserve(sizeBytes: number): Promise<void> | undefined {
    assert(sizeBytes <= this.layout.groupMaxBytes, 'A transaction fits into a group', { sizeBytes });
    if (this.waiters.length === 0 && this.reservedBytes + sizeBytes <= this.room()) {
      this.reservedBytes += sizeBytes;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      if (this.refusal !== undefined) reject(this.refusal);
      else this.waiters.push({ sizeBytes, resolve, reject });
    });
  }

  unreserve(sizeBytes: number): void {
    this.reservedBytes -= sizeBytes;
    assert(this.reservedBytes >= 0, 'Log space is reserved before a transaction begins', { sizeBytes });
    this.admit();
  }

  /** Nobody waits any more, now or later. */
  refuse(error: Error): void {
    this.refusal = error;
    for (const waiter of this.waiters.splice(0)) waiter.reject(error);
  }

  /** Bytes left for one group in the active segment. */
  groupRoom(): number {
    return Math.min(this.layout.groupMaxBytes, this.layout.segmentBytes - this.used);
  }

  /** The mirror from where the next group begins. */
  nextGroup(): Buffer {
    const start = this.active * this.layout.segmentBytes + this.used;
    return this.mirror.subarray(start, start + this.groupRoom());
  }

  /** Offset in the mirror at which the next group begins. */
  get nextOffset(): number {
    return this.active * this.layout.segmentBytes + this.used;
  }

  /** Completes the next group, whose records and payload stand in `nextGroup()`: its bytes and their position. */
  close(recordBytes: number, payloadBlocks: number): { bytes: Buffer; position: number } {
    const sizeBytes = groupBytes(recordBytes, payloadBlocks);
    const bytes = this.nextGroup().subarray(0, sizeBytes);
    assert(bytes.length === sizeBytes, 'A group fits into its segment', { sizeBytes, used: this.used });
    const position = segmentStart(this.layout, this.active) + this.used;
    const header: GroupHeader = {
      deviceIdBytes: this.deviceIdBytes,
      position,
      logGeneration: this.generation,
      sequence: this.sequence + 1,
      knownFlushed: this.flushedSequence,
      recordBytes,
      payloadBlocks,
    };
    finishGroup(bytes, header);
    this.sequence += 1;
    this.used += sizeBytes;
    return { bytes, position };
  }

  /** The last group, and all it names, is durable. */
  noteFlushed(): void {
    this.flushedSequence = this.sequence;
  }

  /** Later groups go into the other segment; this one is held until `release`. */
  switchSegment({ isNewGeneration }: { isNewGeneration: boolean }): void {
    assert(!this.isOtherHeld, 'The other segment is free');
    if (isNewGeneration) this.generation += 1;
    this.active = this.active === 0 ? 1 : 0;
    this.used = 0;
    this.isOtherHeld = true;
  }

  /** A checkpoint covers what the other segment holds. */
  release(): void {
    this.isOtherHeld = false;
    this.admit();
  }

  /** Bytes that may be reserved: each segment can lose one group's worth at its end. */
  private room(): number {
    const { segmentBytes, groupMaxBytes } = this.layout;
    const inActive = Math.max(0, segmentBytes - this.used - groupMaxBytes);
    return inActive + (this.isOtherHeld ? 0 : segmentBytes - groupMaxBytes);
  }

  private admit(): void {
    while (this.waiters.length > 0) {
      const { sizeBytes, resolve } = this.waiters[0];
      if (this.reservedBytes + sizeBytes > this.room()) return;
      this.waiters.shift();
      this.reservedBytes += sizeBytes;
      resolve();
    }
  }
}
