import { describe, expect, it } from '@jest/globals';
import { SealingKey } from './sealing.js';

const key = new SealingKey(Buffer.alloc(32, 1));
const secret = Buffer.from('a secret access key');

describe('sealing', () => {
  it('opens what it sealed, in the same context alone', () => {
    const sealed = key.seal(secret, 'access-key:A');
    expect(key.open(sealed, 'access-key:A')).toEqual(secret);
    expect(() => key.open(sealed, 'access-key:B')).toThrow(expect.objectContaining({ code: 'InternalError' }));
    expect(new SealingKey(Buffer.alloc(32, 1)).open(sealed, 'access-key:A')).toEqual(secret);
  });

  it('shows nothing of the secret and never seals twice alike', () => {
    const sealed = key.seal(secret, 'c');
    expect(sealed.includes(secret.subarray(0, 4))).toBe(false);
    expect(sealed.equals(key.seal(secret, 'c'))).toBe(false);
  });

  it('notices a change of any byte, and a cut', () => {
    const sealed = key.seal(secret, 'c');
    for (let at = 0; at < sealed.length; at++) {
      const damaged = Buffer.from(sealed);
      damaged[at] ^= 1;
      expect(() => key.open(damaged, 'c')).toThrow(expect.objectContaining({ code: 'InternalError' }));
      expect(() => key.open(sealed.subarray(0, at), 'c')).toThrow(expect.objectContaining({ code: 'InternalError' }));
    }
  });

  it('says so when another cluster secret is used', () => {
    const sealed = key.seal(secret, 'c');
    expect(() => new SealingKey(Buffer.alloc(32, 2)).open(sealed, 'c')).toThrow(/another cluster secret/);
  });

  it('XD5: refuses a cluster secret that is absent or short', () => {
    for (const bytes of [0, 16, 31]) {
      expect(() => new SealingKey(Buffer.alloc(bytes))).toThrow(expect.objectContaining({ code: 'InvalidArgument' }));
    }
  });

  it('fingerprints differ by secret and by cluster', () => {
    expect(key.fingerprint('a')).toBe(key.fingerprint('a'));
    expect(key.fingerprint('a')).not.toBe(key.fingerprint('b'));
    expect(key.fingerprint('a')).not.toBe(new SealingKey(Buffer.alloc(32, 2)).fingerprint('a'));
  });
});
