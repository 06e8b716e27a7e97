/**
 * Group commit: everything that waits becomes one group, that is one write of the log and one flush for all. The next group
 * collects while one is being made durable; an answer is given after the flush of its group.
 *
 * Forming a group closes its transactions: each is applied and encoded in the same turn, in the order in which
 * they came. So the log, the trees and what readers see agree on one order, and between two groups a checkpoint may begin.
 */
import { InvariantViolation, assert } from '@holdfast/stdx';
import { ExtentStoreError } from '../extent-store-error.js';
import { GROUP_HEADER_BYTES, groupBytes, payloadStart } from '../log/log-group.js';
import { missing } from '../tree/b-tree.js';
import type { Checkpointer } from './checkpointer.js';
import type { DeviceHealth, DeviceParts } from './device-state.js';
import type { PutUnit } from './unit-transactions.js';
import type { GroupTarget, Transaction } from './transaction.js';

type AnyTransaction = Transaction<unknown>;

interface FormedGroup {
  readonly transactions: readonly AnyTransaction[];
  readonly bytes: Buffer;
  readonly position: number;
  /** It names data blocks that were written and perhaps not flushed. */
  readonly namesData: boolean;
  /** The small units up to here are durable with it. */
  readonly smallEnd: number;
}

export interface CommitterOptions {
  /** Lets those whose answer came go on, before the next group is formed. */
  readonly turn: () => Promise<void>;
}

export class Committer {
  private queue: AnyTransaction[] = [];
  private running: Promise<void> | undefined;
  /** Ends in the same turn in which the loop finds nothing to do: no wake-up falls in between. */
  private isRunning = false;
  private isClosed = false;
  /** Data was written outside of the log for these, by the transaction that will record it. */
  private readonly withData = new Set<AnyTransaction>();

  constructor(
    private readonly parts: DeviceParts,
    private readonly health: DeviceHealth,
    private readonly checkpointer: Checkpointer,
    private readonly options: CommitterOptions,
  ) {
    checkpointer.onEnd = () => this.kick();
    parts.fill.onDeath = () => this.kick();
  }

  /** Takes log space for a transaction before it begins; a promise while the log is full. */
  reserve(logBytes: number): Promise<void> | undefined {
    this.health.check();
    const { log, path } = this.parts;
    if (logBytes > log.transactionMaxBytes) {
      const message = `${path}: a transaction of ${logBytes} bytes; the log takes ${log.transactionMaxBytes} at once`;
      throw new ExtentStoreError('TooLarge', message);
    }
    const waiting = log.reserve(logBytes);
    if (waiting !== undefined) this.kick();
    return waiting;
  }

  /** Resolves when blocks and log may be written: the log has a generation of its own since the open. */
  async begin(): Promise<void> {
    if (this.checkpointer.isReady) return;
    await this.checkpoint();
  }

  /** A write outside of the log failed. */
  die(cause: unknown): void {
    this.health.die(cause);
    this.kick();
  }

  /** Hands over a transaction whose log space is reserved. */
  submit(transaction: AnyTransaction): void {
    if (this.isClosed) this.refuse(transaction, new ExtentStoreError('DeviceDead', `${this.parts.path} was closed`));
    else if (this.health.dead) this.refuse(transaction, this.health.deathError());
    else {
      this.queue.push(transaction);
      this.kick();
    }
  }

  /** As `submit`, for one whose bytes stand in data blocks that are to be flushed with it. */
  submitWithData(transaction: PutUnit): void {
    this.withData.add(transaction);
    this.submit(transaction);
  }

  /** Resolves when a checkpoint that began after this call is durable. */
  async checkpoint(): Promise<void> {
    const done = this.checkpointer.request();
    this.kick();
    await done;
  }

  /** Takes nothing more, and resolves when what waits is settled. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.running;
    await this.checkpointer.close();
  }

  private kick(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    this.running = this.run();
  }

  private get hasWork(): boolean {
    return this.queue.length > 0 || this.checkpointer.isDue;
  }

  private async run(): Promise<void> {
    for (;;) {
      await this.options.turn();
      if (this.health.dead) this.refuseAll();
      if (!this.hasWork || this.health.dead) {
        this.isRunning = false;
        return;
      }
      try {
        await this.step();
      } catch (cause) {
        this.health.die(cause);
        this.refuseAll();
        this.isRunning = false;
        if (cause instanceof InvariantViolation) throw cause;
        return;
      }
    }
  }

  private async step(): Promise<void> {
    await this.checkpointer.renew();
    if (this.checkpointer.isDue) await this.checkpointer.begin();
    if (this.queue.length === 0) return;
    const formed = await this.form();
    if (formed === undefined) {
      if (this.queue.length > 0) await this.unblock(this.queue[0]);
      return;
    }
    const writing = this.makeDurable(formed);
    // While the device works on this group, units of the groups before it move out of the log.
    this.checkpointer.moveSome();
    this.parts.fill.kick();
    try {
      await writing;
    } catch (cause) {
      this.health.die(cause);
      for (const transaction of formed.transactions) transaction.fail(this.health.deathError());
      throw cause;
    }
    this.parts.log.noteFlushed();
    this.parts.small.noteFlushed(formed.smallEnd);
    for (const transaction of formed.transactions) transaction.noteDurable();
  }

  /** No group can be formed: the log segment is full, or metadata pages are short. */
  private async unblock(first: AnyTransaction): Promise<void> {
    if (first.logBytes > this.parts.log.groupRoom()) return this.checkpointer.begin();
    if (!this.lacksPages(first)) return undefined;
    if (await this.parts.fill.morePages()) return undefined;
    // Pages that were copied since the last checkpoint come back with the next.
    await this.checkpointer.begin();
    await this.checkpointer.ended();
    if (!this.health.dead && this.queue[0] === first && this.lacksPages(first)) {
      this.queue.shift();
      this.refuse(first, this.health.fullError());
    }
  }

  /** The last pages are kept for what makes room again. */
  private lacksPages({ takesRoom, pagesMax }: AnyTransaction): boolean {
    const { pages, small, layout } = this.parts;
    const { freePages, freeFilledPages } = pages.space;
    const needed = small.pagesMax + pagesMax;
    const share = takesRoom ? 0.5 : 0.25;
    return (
      freePages - needed < layout.reservePages * share || freeFilledPages - needed < layout.reserveFilledPages * share
    );
  }

  /** Closes as many of the waiting transactions as fit; undefined when none did. */
  private async form(): Promise<FormedGroup | undefined> {
    const first = this.queue[0];
    // The pages of the first are fetched; a later one that lacks some waits for the next group.
    while (first.prepare() === missing) await this.parts.pages.loadMissing();
    const { log } = this.parts;
    const { count, recordBytes } = this.fitting();
    if (count === 0) return undefined;
    const target: GroupTarget = {
      block: log.nextGroup(),
      at: GROUP_HEADER_BYTES,
      payloadAt: payloadStart(recordBytes),
      payloadBlock: 0,
      mirrorOffset: log.nextOffset,
    };
    const closed = this.closeInto(target, count);
    return closed.length === 0 ? undefined : this.seal(closed, target, recordBytes);
  }

  /** How many of those that wait have room in the next group, and what their records take at most. */
  private fitting(): { count: number; recordBytes: number } {
    const room = this.parts.log.groupRoom();
    let recordBytes = 0;
    let payloadBlocks = 0;
    for (let count = 0; ; count += 1) {
      if (count === this.queue.length) return { count, recordBytes };
      const next = this.queue[count];
      const records = recordBytes + next.recordBytes;
      payloadBlocks += next.payloadBlocks;
      if (groupBytes(records, payloadBlocks) > room) return { count, recordBytes };
      recordBytes = records;
    }
  }

  /** One after the other is applied and written into the group, so that each finds what those before it did. */
  private closeInto(target: GroupTarget, count: number): AnyTransaction[] {
    const closed: AnyTransaction[] = [];
    let taken = 0;
    for (; taken < count; taken += 1) {
      const next = this.queue[taken];
      if (this.lacksPages(next) || next.prepare() === missing) break;
      if (!this.apply(next)) continue;
      next.encode(target);
      closed.push(next);
    }
    this.queue.splice(0, taken);
    return closed;
  }

  private apply(transaction: AnyTransaction): boolean {
    try {
      transaction.apply();
      return true;
    } catch (error) {
      if (!(error instanceof ExtentStoreError)) throw error;
      this.refuse(transaction, error);
      return false;
    }
  }

  private seal(transactions: readonly AnyTransaction[], target: GroupTarget, recordBytes: number): FormedGroup {
    const { log, small } = this.parts;
    assert(target.at <= GROUP_HEADER_BYTES + recordBytes, 'Records have the size they announce');
    // The payload keeps its place where records take less than they announced, and zeros fill the gap.
    target.block.fill(0, target.at, GROUP_HEADER_BYTES + recordBytes);
    const { bytes, position } = log.close(recordBytes, target.payloadBlock);
    let namesData = false;
    for (const transaction of transactions) {
      namesData = this.withData.delete(transaction) || namesData;
      log.unreserve(transaction.logBytes);
      transaction.noteClosed();
    }
    return { transactions, bytes, position, namesData, smallEnd: small.end };
  }

  private async makeDurable({ bytes, position, namesData }: FormedGroup): Promise<void> {
    const { meta, data } = this.parts.files;
    if (!namesData) return meta.writeThrough(bytes, position, 'log');
    if (meta === data) {
      // One flush for both. Either may come first: recovery checks the blocks of what is not known to be flushed.
      await meta.write([bytes], position, 'log', 'past-cache');
      return meta.flush();
    }
    await data.flush();
    return meta.writeThrough(bytes, position, 'log');
  }

  private refuse(transaction: AnyTransaction, error: Error): void {
    this.withData.delete(transaction);
    this.parts.log.unreserve(transaction.logBytes);
    transaction.fail(error);
  }

  private refuseAll(): void {
    const error = this.health.deathError();
    this.parts.log.refuse(error);
    this.checkpointer.refuse(error);
    for (const transaction of this.queue.splice(0)) this.refuse(transaction, error);
  }
}
