import type pg from 'pg';
import type { MetadataDatabase } from './database.js';
import type { OutboxRepository } from './outbox.repository.js';

const CHANNEL = 'holdfast_outbox';
const NOTIFY_PAUSE_MS = 50;
const RECONNECT_PAUSE_MS = 1_000;

/**
 * Wakes relays. Those of this process at once, in memory; those of others by NOTIFY on a connection of its own, at most every
 * 50 ms: inside the commit it would serialise the commits of several instances. A lost signal costs a relay's poll.
 */
export class OutboxSignal {
  private readonly wakers = new Set<() => void>();
  private notifyTimer: NodeJS.Timeout | undefined;
  private listener: pg.Client | undefined;
  private reconnectTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly database: MetadataDatabase,
    private readonly outbox: OutboxRepository,
  ) {}

  /** A commit of this process owes work. */
  written(): void {
    this.wake();
    if (this.notifyTimer !== undefined || this.closed) return;
    this.notifyTimer = setTimeout(() => {
      this.notifyTimer = undefined;
      this.outbox.notify(CHANNEL).catch(() => undefined);
    }, NOTIFY_PAUSE_MS);
    this.notifyTimer.unref();
  }

  subscribe(waker: () => void): () => void {
    this.wakers.add(waker);
    if (this.listener === undefined) void this.listen();
    return () => {
      this.wakers.delete(waker);
      if (this.wakers.size === 0) void this.stopListening();
    };
  }

  private wake(): void {
    for (const waker of this.wakers) waker();
  }

  private async listen(): Promise<void> {
    const client = this.database.newClient('holdfast-metadata-outbox');
    this.listener = client;
    client.on('notification', () => this.wake());
    client.on('error', () => this.lost(client));
    client.on('end', () => this.lost(client));
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
    } catch {
      this.lost(client);
    }
  }

  private lost(client: pg.Client): void {
    if (this.listener !== client) return;
    this.listener = undefined;
    void client.end().catch(() => undefined);
    if (this.closed || this.wakers.size === 0 || this.reconnectTimer !== undefined) return;
    this.reconnectTimer = setTimeout(() => {
      this.reconnectTimer = undefined;
      if (!this.closed && this.wakers.size > 0 && this.listener === undefined) void this.listen();
    }, RECONNECT_PAUSE_MS);
    this.reconnectTimer.unref();
  }

  private async stopListening(): Promise<void> {
    const client = this.listener;
    this.listener = undefined;
    await client?.end().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.notifyTimer);
    clearTimeout(this.reconnectTimer);
    this.wakers.clear();
    await this.stopListening();
  }
}
