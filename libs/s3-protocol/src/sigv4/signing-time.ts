import { HoldfastError } from '@holdfast/contracts';
import type { HeaderList } from '../headers/header-list.js';
import type { HeaderV2Credential } from '../sigv2/credential.js';
import { calendarMs } from '../time/calendar.js';
import type { SigV4Credential } from './credential.js';

export const CLOCK_SKEW_MAX_MS = 15 * 60 * 1000;

const BASIC_ISO = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** The last timestamp that was one: within a second all clients write the same. */
let lastText = '19700101T000000Z';
let lastMs = 0;

/** Milliseconds of a YYYYMMDDTHHMMSSZ timestamp, or undefined when it is none (a 31st of February included). */
export function parseTimestamp(text: string): number | undefined {
  if (text === lastText) return lastMs;
  const atMs = parseUnknown(text);
  if (atMs === undefined) return undefined;
  lastText = text;
  lastMs = atMs;
  return atMs;
}

function parseUnknown(text: string): number | undefined {
  const match = BASIC_ISO.exec(text);
  if (match === null) return undefined;
  const [year, month, day, ...time] = match.slice(1).map(Number);
  return calendarMs(year, month, day, time);
}

/** YYYYMMDDTHHMMSSZ */
export function formatTimestamp(atMs: number): string {
  if (atMs === lastMs) return lastText;
  return new Date(atMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/** Beyond it the 16 characters of a timestamp cannot show a time. */
const TIMESTAMP_MAX_MS = Date.UTC(9999, 11, 31);

/**
 * When a request was signed in its header: x-amz-date, or the Date header of clients that cannot set it.
 * @throws HoldfastError AccessDenied (absent, given twice, unreadable, before 1970)
 */
export function headerTimeMs(headers: HeaderList, readAmzDate: (text: string) => number | undefined): number {
  const amzDates = headers.getAll('x-amz-date');
  let atMs: number | undefined;
  if (amzDates.length === 0) atMs = parseSigningDate(headers.get('date') ?? '');
  else if (amzDates.length === 1) atMs = readAmzDate(amzDates[0]);
  if (atMs !== undefined && atMs >= 0 && atMs <= TIMESTAMP_MAX_MS) return atMs;
  throw new HoldfastError('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
}

/** Milliseconds of a timestamp or of a date as signers write it (`+0000` for GMT), or undefined when it is neither. */
export function parseSigningDate(text: string): number | undefined {
  const atMs = parseTimestamp(text) ?? Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}

/**
 * A header signature is good for 15 minutes around its time; a presigned URL from 15 minutes before its time to its expiry.
 * @throws HoldfastError RequestTimeTooSkewed (header), AccessDenied (presigned URL not yet or no longer valid)
 */
export function checkTime(credential: SigV4Credential | HeaderV2Credential, nowMs: number): void {
  const aheadMs = credential.timestampMs - nowMs;
  if (credential.kind !== 'query-v4') {
    if (Math.abs(aheadMs) <= CLOCK_SKEW_MAX_MS) return;
    throw new HoldfastError('RequestTimeTooSkewed', undefined, {
      RequestTime: formatTimestamp(credential.timestampMs),
      ServerTime: new Date(nowMs).toISOString(),
      MaxAllowedSkewMilliseconds: String(CLOCK_SKEW_MAX_MS),
    });
  }
  if (aheadMs > CLOCK_SKEW_MAX_MS) throw new HoldfastError('AccessDenied', 'Request is not yet valid');
  const expiresAtMs = credential.timestampMs + credential.expiresSeconds * 1000;
  if (nowMs > expiresAtMs) {
    throw new HoldfastError('AccessDenied', 'Request has expired', {
      Expires: new Date(expiresAtMs).toISOString(),
      ServerTime: new Date(nowMs).toISOString(),
    });
  }
}
