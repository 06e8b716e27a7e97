/**
 * Holds a recorded run of a device, or of a pair, against the order of writes that makes a crash harmless: log, flush, the
 * pages and blocks of the checkpoint, flush, superblock, flush. The blocks say themselves what they are (FORMAT.md).
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { DeviceEvent } from '../device/simulated-device.js';

type WriteEvent = Extract<DeviceEvent, { type: 'write' }>;

interface OrderedWrite extends WriteEvent {
  /** Its place in the run. */
  readonly at: number;
  /** When its bytes were durable; Infinity for never. */
  readonly durableAt: number;
}

interface Group extends OrderedWrite {
  readonly sequence: number;
}

const u64 = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));
const first = (write: WriteEvent): Buffer => write.pieces[0].bytes;
const startOf = (write: WriteEvent): number => write.pieces[0].position;
const endOf = (write: WriteEvent): number => startOf(write) + write.pieces.length * BLOCK_BYTES;

/** Zeros ahead of use are no page and no bytes of a unit. */
const isFilling = ({ kind, pieces }: WriteEvent): boolean =>
  (kind === 'page' || kind === 'data') && pieces.every(({ bytes }) => bytes.every((byte) => byte === 0));

/** What is wrong with the order; the run begins with an open. */
export function orderProblems(events: readonly DeviceEvent[]): string[] {
  return new RecordedRun(events).problems();
}

/** Blocks of small units that were written before the log held their bytes durably. For runs without large units. */
export function movedTooEarly(events: readonly DeviceEvent[]): string[] {
  const run = new RecordedRun(events);
  return run.ofKind('data').flatMap(({ at, pieces }) =>
    pieces
      .filter(({ bytes }) => {
        const isIn = (group: WriteEvent): boolean => group.pieces.some((piece) => piece.bytes.equals(bytes));
        return !run.groups.some((group) => group.durableAt < at && isIn(group));
      })
      .map(({ position }) => `block at ${position} before its log group is flushed`),
  );
}

class RecordedRun {
  private readonly writes: OrderedWrite[];
  readonly groups: readonly Group[];

  constructor(events: readonly DeviceEvent[]) {
    const durableAt = new Map<string, number>();
    events.forEach((event, at) => {
      if (event.type !== 'durable') return;
      // Flushes that overlap may cover the same write: it is durable with the first of them.
      for (const call of event.calls) {
        const name = `${event.device}/${call}`;
        if (!durableAt.has(name)) durableAt.set(name, at);
      }
    });
    this.writes = events.flatMap((event, at) =>
      event.type === 'write' && !isFilling(event)
        ? [{ ...event, at, durableAt: durableAt.get(`${event.device}/${event.call}`) ?? Infinity }]
        : [],
    );
    this.groups = this.ofKind('log').map((write) => ({ ...write, sequence: u64(first(write), 40) }));
  }

  ofKind(kind: WriteEvent['kind']): OrderedWrite[] {
    return this.writes.filter((write) => write.kind === kind);
  }

  problems(): string[] {
    return [...this.logProblems(), ...this.superblockProblems(), ...this.checkpointProblems()];
  }

  /** Groups follow each other, and none takes the place of one that the superblock may still need. */
  private logProblems(): string[] {
    const superblocks = this.ofKind('superblock');
    return this.groups.flatMap((group, index) => {
      const { sequence, at } = group;
      const before = index === 0 ? undefined : this.groups[index - 1];
      const problems: string[] = [];
      if (before !== undefined && before.durableAt > at) problems.push(`group ${sequence} before the one before it`);
      if (before !== undefined && before.sequence !== sequence - 1) problems.push(`group ${sequence} after a gap`);
      const counting = superblocks.filter(({ durableAt }) => durableAt < at).at(-1);
      const firstNeeded = counting === undefined ? 0 : u64(first(counting), 96);
      const isNeeded = this.groups
        .slice(0, index)
        .some((old) => old.sequence >= firstNeeded && startOf(old) < endOf(group) && startOf(group) < endOf(old));
      if (isNeeded) problems.push(`group ${sequence} over one that is needed from ${firstNeeded} on`);
      return problems;
    });
  }

  private superblockProblems(): string[] {
    return this.ofKind('superblock').flatMap(({ at, call }, index, all) =>
      index > 0 && all[index - 1].durableAt > at ? [`superblock in call ${call} before other copies are flushed`] : [],
    );
  }

  private checkpointProblems(): string[] {
    const problems: string[] = [];
    const superblocks = new Map<number, OrderedWrite>();
    for (const write of this.ofKind('superblock')) {
      const checkpoint = u64(first(write), 128);
      if (!superblocks.has(checkpoint)) superblocks.set(checkpoint, write);
    }
    const pages = this.ofKind('page').map((write) => ({ ...write, checkpoint: u64(first(write), 32) }));
    for (const [checkpoint, superblock] of superblocks) {
      const own = pages.filter((page) => page.checkpoint === checkpoint);
      if (own.length === 0) continue;
      const firstGroup = u64(first(superblock), 96);
      const covered = this.groups.filter(({ sequence }) => sequence < firstGroup);
      if (own.some(({ durableAt }) => durableAt > superblock.at))
        problems.push(`superblock of checkpoint ${checkpoint} before its pages are flushed`);
      if (covered.some(({ durableAt }) => durableAt > own[0].at))
        problems.push(`pages of checkpoint ${checkpoint} before its log is flushed`);
      if (covered.length > 0 && covered.at(-1)?.sequence !== firstGroup - 1)
        problems.push(`checkpoint ${checkpoint} covers groups up to ${firstGroup - 1}, which were never written`);
      if (this.ofKind('data').some((write) => write.at < own[0].at && write.durableAt > superblock.at))
        problems.push(`superblock of checkpoint ${checkpoint} before its blocks are flushed`);
    }
    return problems;
  }
}
