import { describe, expect, it } from '@jest/globals';
import { TrustedProxies } from './client-address.js';

describe('TrustedProxies', () => {
  const trusted = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);

  it.each([
    ['a client that speaks itself', '198.51.100.1', undefined, '198.51.100.1'],
    ['XC8: what a client writes of itself', '198.51.100.1', '203.0.113.9', '198.51.100.1'],
    ['one proxy', '10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['two proxies', '10.1.2.3', '203.0.113.9, 10.9.9.9', '203.0.113.9'],
    ['XC8: what a client wrote before its proxy', '10.1.2.3', '127.0.0.1, 203.0.113.9', '203.0.113.9'],
    ['XC8: what a client wrote of a trusted address', '10.1.2.3', '10.0.0.1, 203.0.113.9, 10.9.9.9', '203.0.113.9'],
    ['a proxy alone', '192.0.2.7', undefined, '192.0.2.7'],
    ['a proxy of both families', '::ffff:10.1.2.3', '::ffff:203.0.113.9', '203.0.113.9'],
    ['IPv6', 'fd00::1', '2001:db8::5', '2001:db8::5'],
    ['no address', '10.1.2.3', 'unknown', '10.1.2.3'],
    ['no address behind a good one', '10.1.2.3', 'nonsense, 10.9.9.9', '10.9.9.9'],
    ['an empty header', '10.1.2.3', '', '10.1.2.3'],
    ['a port behind the address', '10.1.2.3', '203.0.113.9:80', '10.1.2.3'],
    ['a closed socket', undefined, '203.0.113.9', ''],
  ])('%s', (_what, socketAddress, forwardedFor, expected) => {
    expect(trusted.clientAddress(socketAddress, forwardedFor)).toBe(expected);
  });

  it('believes nobody without a list', () => {
    expect(new TrustedProxies([]).clientAddress('127.0.0.1', '203.0.113.9')).toBe('127.0.0.1');
  });

  it.each(['10.0.0.0/33', 'fd00::/129', 'example.test', '10.0.0/8', '10.0.0.0/', '10.0.0.0/-1', ''])(
    'refuses %p',
    (range) => {
      expect(() => new TrustedProxies([range])).toThrow(RangeError);
    },
  );
});
