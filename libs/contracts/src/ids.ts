import { randomFillSync } from 'node:crypto';

/**
 * Ids are lower-case hex of fixed length in memory and on the control plane, raw bytes in packed lists and on devices
 * (decision 0003). Chunk, write and version ids are 16 bytes: 6 of the wall clock in milliseconds (neighbours in time are
 * neighbours in an index), 10 random. They order nothing: order comes from `sequence`.
 */
export type ChunkId = string;
export type WriteId = string;
export type VersionId = string;
export type UploadId = string;

const HEX_32 = /^[0-9a-f]{32}$/;

export function newId(nowMs: number = Date.now()): string {
  if (nowMs !== stampedMs) {
    stampedMs = nowMs;
    stamp = nowMs.toString(16).padStart(12, '0');
  }
  return stamp + randomHex(10);
}

// A millisecond has many ids.
let stampedMs = -1;
let stamp = '';

// One call for random bytes costs as much as a small hash, whatever it fills: it is made for many ids at once.
const pool = Buffer.alloc(4096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}

export function isId(value: string): boolean {
  return HEX_32.test(value);
}

/** 16 upper-case hex digits: what `x-amz-request-id` shows. */
export function newRequestId(): string {
  return randomHex(8).toUpperCase();
}

/** The name that S3 shows for the version of an unversioned bucket. */
export const NULL_VERSION = 'null';
