/**
 * Group commit: everything that waits becomes one group, that is gathered data writes, one log write and one flush for
 * all. The next group collects while one is being flushed; an answer is given after the flush of its group.
 *
 * A freed extent goes back to the allocator after the flush that made the free durable, so no block is reused while a
 * recovery could still find its old unit.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { InvariantViolation, MIB, assert, type Deadline } from '@holdfast/stdx';
import { joinRuns, type DataRun, type SharedRun } from './data-runs.js';
import { groupPayloadMax } from './device-layout.js';
import type { DeviceFile } from './device.port.js';
import type { DeviceState } from './device-state.js';
import { ExtentStoreError } from './extent-store-error.js';
import {
  AUTHORITY_RECORD_BYTES,
  FREE_RECORD_BYTES,
  GroupBuilder,
  unitRecordBytes,
  type UnitEntry,
} from './log-group.js';
import { sortKeyOf, type UnitKey } from './unit-header.js';
import type { WriteAheadLog } from './write-ahead-log.js';

const GROUP_DATA_MAX_BYTES = 32 * MIB;

interface PendingUnit {
  readonly kind: 'unit';
  readonly entry: UnitEntry;
  /** What is still to be written with the group. */
  readonly runs: readonly DataRun[];
  readonly deadline: Deadline;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface PendingFree {
  readonly kind: 'free';
  readonly keys: readonly UnitKey[];
  readonly resolve: (freedCount: number) => void;
  readonly reject: (error: Error) => void;
}

type Pending = PendingUnit | PendingFree;

/** What one group changes, applied to the state after its flush. */
interface GroupPlan {
  readonly builder: GroupBuilder;
  readonly units: readonly PendingUnit[];
  readonly frees: readonly { readonly free: PendingFree; readonly keys: readonly string[] }[];
}

export class GroupCommitter {
  private queue: Pending[] = [];
  private running: Promise<void> | undefined;
  private begun: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly device: DeviceFile,
    private readonly log: WriteAheadLog,
    private readonly state: DeviceState,
  ) {}

  /** Most keys in one `submitFree`. */
  get freeKeysMax(): number {
    return Math.floor((groupPayloadMax(this.state.layout) - AUTHORITY_RECORD_BYTES) / FREE_RECORD_BYTES);
  }

  /** Must resolve before anything else is written: a dropped tail of the log may not see its blocks reused. */
  begin(): Promise<void> {
    this.begun ??= this.guard(() => this.log.renew(this.state.index.values(), this.state.authority));
    return this.begun;
  }

  /** Writes data outside a group; it becomes durable with the group of its record. */
  async writeData(runs: readonly DataRun[]): Promise<void> {
    for (const run of runs) {
      if (this.state.dead) throw this.state.deathError();
      try {
        await this.device.write(run.buffers, run.position);
      } catch (cause) {
        throw this.writeFailure(cause);
      }
    }
  }

  /** Resolves when the unit is durable. On rejection no write to its extents is under way. */
  submitUnit(entry: UnitEntry, runs: readonly DataRun[], deadline: Deadline): Promise<void> {
    return new Promise((resolve, reject) => this.submit({ kind: 'unit', entry, runs, deadline, resolve, reject }));
  }

  /** Resolves to how many of the units were there, when their absence is durable. */
  submitFree(keys: readonly UnitKey[]): Promise<number> {
    assert(keys.length <= this.freeKeysMax, 'A free fits into one group', { keys: keys.length });
    return new Promise((resolve, reject) => this.submit({ kind: 'free', keys, resolve, reject }));
  }

  /** Takes nothing more, and resolves when what waits is settled. */
  async close(): Promise<void> {
    this.closed = true;
    await this.begun?.catch(() => undefined);
    await this.running;
    if (this.begun !== undefined && !this.state.dead) await this.guard(() => this.log.seal());
  }

  private submit(pending: Pending): void {
    if (this.closed) pending.reject(new ExtentStoreError('DeviceDead', `${this.state.path} was closed`));
    else if (this.state.dead) pending.reject(this.state.deathError());
    else {
      this.queue.push(pending);
      this.running ??= this.run().finally(() => {
        this.running = undefined;
      });
    }
  }

  private async run(): Promise<void> {
    await this.begin().catch(() => undefined);
    for (;;) {
      // Those whose answer came with the last group get their turn to ask again: they belong into this group.
      await nextTurn();
      if (this.queue.length === 0) return;
      if (this.state.dead) {
        for (const pending of this.queue.splice(0)) pending.reject(this.state.deathError());
        continue;
      }
      await this.commit(this.takeBatch());
    }
  }

  private takeBatch(): Pending[] {
    let recordBytes = AUTHORITY_RECORD_BYTES;
    let dataBytes = 0;
    let count = 0;
    for (; count < this.queue.length; count += 1) {
      const pending = this.queue[count];
      recordBytes += recordBytesOf(pending);
      if (pending.kind === 'unit') for (const run of pending.runs) dataBytes += run.sizeBytes;
      const isOver = recordBytes > groupPayloadMax(this.state.layout) || dataBytes > GROUP_DATA_MAX_BYTES;
      if (isOver && count > 0) break;
    }
    return this.queue.splice(0, count);
  }

  private async commit(batch: readonly Pending[]): Promise<void> {
    const failed = await this.writeGathered(batch);
    const accepted = batch.filter((pending) => {
      const error = failed.get(pending) ?? lateness(pending, this.state.path);
      if (error !== undefined) pending.reject(error);
      return error === undefined;
    });
    if (accepted.length === 0) return;
    const plan = this.planGroup(accepted);
    try {
      await this.guard(async () => {
        if (!this.log.hasRoom(plan.builder.recordBytes)) {
          await this.log.renew(this.state.index.values(), this.state.authority);
        }
        await this.log.append(plan.builder);
        await this.device.flush();
        this.log.noteFlush();
      });
    } catch (error) {
      for (const pending of accepted) pending.reject(error as Error);
      if (error instanceof InvariantViolation) throw error;
      return;
    }
    this.apply(plan);
  }

  /** Writes the data of the batch; resolves, when no write is under way any more, to the operations that failed. */
  private async writeGathered(batch: readonly Pending[]): Promise<Map<Pending, Error>> {
    const failed = new Map<Pending, Error>();
    const parts = batch.flatMap((owner) => (owner.kind === 'unit' ? owner.runs.map((run) => ({ run, owner })) : []));
    const write = async ({ buffers, position, owners }: SharedRun<Pending>) => {
      try {
        await this.device.write(buffers, position);
      } catch (cause) {
        const error = this.writeFailure(cause);
        for (const owner of owners) failed.set(owner, error);
      }
    };
    await Promise.all(joinRuns<Pending>(parts).map(write));
    if (this.state.dead) for (const pending of batch) failed.set(pending, this.state.deathError());
    return failed;
  }

  private planGroup(accepted: readonly Pending[]): GroupPlan {
    const frees: { free: PendingFree; keys: string[] }[] = [];
    const units: PendingUnit[] = [];
    const recordBytes = accepted.reduce((sum, pending) => sum + recordBytesOf(pending), AUTHORITY_RECORD_BYTES);
    const builder = new GroupBuilder(recordBytes);
    const freed = new Set<string>();
    for (const pending of accepted) {
      if (pending.kind === 'unit') {
        builder.addUnit(pending.entry);
        units.push(pending);
        continue;
      }
      const keys: string[] = [];
      for (const unit of pending.keys) {
        const key = sortKeyOf(unit);
        if (this.state.index.get(key) === undefined || freed.has(key)) continue;
        freed.add(key);
        keys.push(key);
        builder.addFree(unit);
      }
      frees.push({ free: pending, keys });
    }
    if (frees.length > 0) builder.addAuthority(this.state.authority.generation, this.state.authority.sequence);
    return { builder, units, frees };
  }

  private apply({ units, frees }: GroupPlan): void {
    const { index, allocator } = this.state;
    for (const { free, keys } of frees) {
      for (const key of keys) {
        const entry = index.get(key);
        assert(entry !== undefined, 'Only the committer removes units', { path: this.state.path, key });
        index.delete(key);
        allocator.release(entry.extents);
      }
      free.resolve(keys.length);
    }
    for (const { entry, resolve } of units) {
      this.state.settleClaim(entry.extents, entry.header.unitSizeBytes);
      index.add(entry);
      resolve();
    }
  }

  /** No room in the file system below is told from a broken device; anything else kills the device. */
  private writeFailure(cause: unknown): ExtentStoreError {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')) {
      this.state.noteNoSpace();
      return this.state.fullError(cause);
    }
    this.state.die(cause);
    return this.state.deathError();
  }

  /** Any failure inside is the end of the device; a broken invariant goes on up and ends the process. */
  private async guard(work: () => Promise<void>): Promise<void> {
    if (this.state.dead) throw this.state.deathError();
    try {
      await work();
    } catch (cause) {
      this.state.die(cause);
      throw cause instanceof InvariantViolation ? cause : this.state.deathError();
    }
  }
}

function recordBytesOf(pending: Pending): number {
  return pending.kind === 'unit' ? unitRecordBytes(pending.entry) : pending.keys.length * FREE_RECORD_BYTES;
}

function lateness(pending: Pending, path: string): ExtentStoreError | undefined {
  if (pending.kind !== 'unit' || !pending.deadline.passed) return undefined;
  return new ExtentStoreError('LateWrite', `${path}: the deadline passed before the unit was recorded`);
}
