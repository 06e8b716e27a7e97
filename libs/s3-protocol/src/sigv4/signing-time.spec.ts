import { describe, expect, it } from '@jest/globals';
import type { HeaderV4Credential, QueryV4Credential } from './credential.js';
import { checkTime, formatTimestamp, parseTimestamp } from './signing-time.js';

const code = (name: string) => expect.objectContaining({ code: name });
const timestampMs = Date.UTC(2024, 4, 24, 0, 0, 0);
const minute = 60_000;
const common = {
  accessKeyId: 'AK',
  scope: { date: '20240524', region: 'us-east-1', service: 's3' },
  signedHeaders: ['host'],
  signature: '',
  timestamp: '20240524T000000Z',
  timestampMs,
  payloadHash: 'UNSIGNED-PAYLOAD',
};
const header: HeaderV4Credential = { kind: 'header-v4', ...common };
const query: QueryV4Credential = { kind: 'query-v4', ...common, expiresSeconds: 3600 };

describe('parseTimestamp', () => {
  it('reads and writes the basic form', () => {
    expect(parseTimestamp('20240524T000000Z')).toBe(timestampMs);
    expect(formatTimestamp(timestampMs)).toBe('20240524T000000Z');
  });

  it.each(['', '2024-05-24T00:00:00Z', '20240524T000000', '20240230T000000Z', '20240524T250000Z', '20240524T000000Z '])(
    'refuses %j',
    (text) => {
      expect(parseTimestamp(text)).toBeUndefined();
    },
  );
});

describe('checkTime', () => {
  it('a header signature is good for 15 minutes either way', () => {
    expect(() => checkTime(header, timestampMs + 15 * minute)).not.toThrow();
    expect(() => checkTime(header, timestampMs - 15 * minute)).not.toThrow();
    expect(() => checkTime(header, timestampMs + 15 * minute + 1)).toThrow(code('RequestTimeTooSkewed'));
    expect(() => checkTime(header, timestampMs - 15 * minute - 1)).toThrow(code('RequestTimeTooSkewed'));
  });

  it('a presigned URL is good until it expires, and not long before its time', () => {
    expect(() => checkTime(query, timestampMs + 3600_000)).not.toThrow();
    expect(() => checkTime(query, timestampMs + 3600_001)).toThrow(code('AccessDenied'));
    expect(() => checkTime(query, timestampMs - 15 * minute)).not.toThrow();
    expect(() => checkTime(query, timestampMs - 15 * minute - 1)).toThrow(code('AccessDenied'));
  });
});
