import { HoldfastError } from '@holdfast/contracts';
import type { SigV4Credential } from './credential.js';

export const CLOCK_SKEW_MAX_MS = 15 * 60 * 1000;

const BASIC_ISO = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** Milliseconds of a YYYYMMDDTHHMMSSZ timestamp, or undefined when it is none (a 31st of February included). */
export function parseTimestamp(text: string): number | undefined {
  const match = BASIC_ISO.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const atMs = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second);
  return formatTimestamp(atMs) === text ? atMs : undefined;
}

/** YYYYMMDDTHHMMSSZ */
export function formatTimestamp(atMs: number): string {
  return new Date(atMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/**
 * A header signature is good for 15 minutes around its time; a presigned URL from 15 minutes before its time to its expiry.
 * @throws HoldfastError RequestTimeTooSkewed (header), AccessDenied (presigned URL not yet or no longer valid)
 */
export function checkTime(credential: SigV4Credential, nowMs: number): void {
  const aheadMs = credential.timestampMs - nowMs;
  if (credential.kind === 'header-v4') {
    if (Math.abs(aheadMs) <= CLOCK_SKEW_MAX_MS) return;
    throw new HoldfastError('RequestTimeTooSkewed', undefined, {
      RequestTime: credential.timestamp,
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
