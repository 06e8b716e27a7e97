/**
 * Which groups of the log count. Let F be the highest known-flushed sequence that the superblock or any valid group names. Up
 * to F every group was flushed: one that is missing or invalid is corruption, which is reported, and nothing is discarded.
 * Above F the replay ends at the first group whose records or blocks do not verify: a crash took it, and no one was answered.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import { ExtentStoreError } from '../extent-store-error.js';
import { segmentStart, type DeviceLayout } from '../format/device-layout.js';
import type { Superblock } from '../format/superblock.js';
import { GROUP_HEADER_BYTES, decodeGroup, type DecodedGroup } from './log-group.js';
import { decodeRecords, type LogRecord } from './log-record.codec.js';

export interface ReplayGroup {
  readonly sequence: number;
  readonly records: readonly LogRecord[];
  /** Where the records begin in the mirror. */
  readonly recordsOffset: number;
  readonly payload: Buffer;
  /** Where the payload begins in the mirror. */
  readonly payloadOffset: number;
  /** Its blocks are to be checked: it may be half written. */
  readonly isDoubtful: boolean;
}

export interface ReplayPlan {
  readonly groups: readonly ReplayGroup[];
  readonly knownFlushed: number;
}

type Segment = 0 | 1;

interface FoundGroup extends DecodedGroup {
  readonly offset: number;
}

export class LogReader {
  constructor(
    private readonly path: string,
    private readonly layout: DeviceLayout,
    private readonly deviceIdBytes: Buffer,
    private readonly superblock: Superblock,
    /** Both segments as they stand on the device. */
    private readonly mirror: Buffer,
  ) {}

  /** @throws ExtentStoreError MetadataDamaged naming file, position and sequence */
  plan(): ReplayPlan {
    const { firstSegment, firstGroupSequence } = this.superblock;
    const chain = this.chain(firstSegment, firstGroupSequence);
    const last = firstGroupSequence + chain.length - 1;
    const knownFlushed = this.knownFlushed(chain);
    if (last < knownFlushed) throw this.damaged(last + 1, knownFlushed);
    const groups = chain.map((group) => this.replayGroup(group, knownFlushed));
    return { groups, knownFlushed };
  }

  /** Valid groups one after the other, through one segment and then the other. */
  private chain(first: Segment, firstSequence: number): FoundGroup[] {
    const found: FoundGroup[] = [];
    let expected = firstSequence;
    for (const segment of [first, first === 0 ? 1 : 0] as const) {
      for (let used = 0; used < this.layout.segmentBytes;) {
        const group = this.groupAt(segment, used);
        if (group?.sequence !== expected) break;
        found.push(group);
        expected += 1;
        used += group.sizeBytes;
      }
    }
    return found;
  }

  /** F, by the superblock and by every valid group, also those behind a gap. */
  private knownFlushed(chain: readonly FoundGroup[]): number {
    let highest = Math.max(this.superblock.knownFlushed, ...chain.slice(-1).map((group) => group.knownFlushed));
    const inChain = new Map(chain.map((group) => [group.offset, group.sizeBytes]));
    for (const segment of [0, 1] as const) {
      for (let used = 0; used < this.layout.segmentBytes;) {
        const known = inChain.get(segment * this.layout.segmentBytes + used);
        const group = known === undefined ? this.groupAt(segment, used) : undefined;
        // An older one that came back by a stale write may be larger than the one it stands for, and hide those behind.
        const isCurrent = group !== undefined && group.sequence >= this.superblock.firstGroupSequence;
        if (isCurrent) highest = Math.max(highest, group.knownFlushed);
        used += known ?? (isCurrent ? group.sizeBytes : BLOCK_BYTES);
      }
    }
    return highest;
  }

  private groupAt(segment: Segment, used: number): FoundGroup | undefined {
    const offset = segment * this.layout.segmentBytes + used;
    const block = this.mirror.subarray(offset, (segment + 1) * this.layout.segmentBytes);
    const position = segmentStart(this.layout, segment) + used;
    const { logGeneration } = this.superblock;
    const group = decodeGroup(block, { deviceIdBytes: this.deviceIdBytes, position, logGeneration });
    return group === undefined ? undefined : { ...group, offset };
  }

  private replayGroup(group: FoundGroup, knownFlushed: number): ReplayGroup {
    let records: LogRecord[];
    try {
      records = [...decodeRecords(group.records)];
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      const message = `${this.path}: log group ${group.sequence} makes no sense: ${cause.message}`;
      throw new ExtentStoreError('MetadataDamaged', message, { cause });
    }
    return {
      sequence: group.sequence,
      records,
      recordsOffset: group.offset + GROUP_HEADER_BYTES,
      payload: group.payload,
      payloadOffset: group.offset + group.sizeBytes - group.payload.length,
      isDoubtful: group.sequence > knownFlushed,
    };
  }

  private damaged(sequence: number, knownFlushed: number): ExtentStoreError {
    const advice = 'Nothing was changed. Replace the device and let its units be rebuilt.';
    const message = `${this.path}: log group ${sequence} is damaged or gone, and groups up to ${knownFlushed} were flushed. ${advice}`;
    return new ExtentStoreError('MetadataDamaged', message);
  }
}
