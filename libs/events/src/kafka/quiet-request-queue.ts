import { createRequire } from 'node:module';
import { assert } from '@holdfast/stdx';

/** The part of kafkajs's queue of requests to one broker that is mended here. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
  rejectAll(error: Error): void;
  emit(event: string): void;
}

const CHECK_PENDING_MS = 10;

/**
 * kafkajs 2.2.4 plans its next look at the waiting requests also when none wait, by a time in the past: each connection wakes
 * the process every millisecond, and an answer that comes after the disconnect keeps it alive for ever. Only a request that
 * waits makes another look necessary, and each one that begins to wait asks for it. And a disconnect waits for the queue to
 * be empty, which it is not told when the requests of a broken connection are dropped.
 */
export function quietRequestQueues(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue };
  assert(typeof prototype.scheduleCheckPendingRequests === 'function', 'kafkajs is the release that is mended here');
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    const waitMs = Math.max(this.throttledUntil - Date.now(), CHECK_PENDING_MS);
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    }, waitMs);
  };
  const { rejectAll } = prototype;
  prototype.rejectAll = function (this: RequestQueue, error: Error): void {
    rejectAll.call(this, error);
    this.emit('requestQueueEmpty');
  };
}
