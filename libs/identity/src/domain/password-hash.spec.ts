import { describe, expect, it } from '@jest/globals';
import { PasswordHasher } from './password-hash.js';

const atOnce = (): void => undefined;

describe('passwords', () => {
  it('verify against their own hash alone, which is salted', async () => {
    const hasher = new PasswordHasher();
    const stored = await hasher.hash('pässword');
    expect(stored).toMatch(/^scrypt:32768:8:1:[\w-]{22}:[\w-]{43}$/);
    expect(stored).not.toBe(await hasher.hash('pässword'));
    expect(await hasher.verify('pässword', stored, atOnce)).toBe(true);
    expect(await hasher.verify('pa\u0308ssword', stored, atOnce)).toBe(true);
    expect(await hasher.verify('password', stored, atOnce)).toBe(false);
  });

  it('nobody has no password, nor has a damaged record', async () => {
    const hasher = new PasswordHasher();
    for (const stored of [undefined, '', 'scrypt:1:1:1::', 'plain:x']) {
      expect(await hasher.verify('', stored, atOnce)).toBe(false);
    }
  });

  it('XF10: does the work for a user that does not exist too, two at a time, and refuses a long queue', async () => {
    const hasher = new PasswordHasher();
    let begun = 0;
    const stop = (): never => {
      begun++;
      throw new Error('stopped before the work');
    };
    const running = [
      hasher.verify('a', undefined, () => void begun++),
      hasher.verify('b', undefined, () => void begun++),
    ];
    const queued = Array.from({ length: 32 }, () =>
      hasher.verify('c', undefined, stop).catch((error: Error) => error.message),
    );
    expect(begun).toBe(2);
    await expect(hasher.verify('d', undefined, atOnce)).rejects.toMatchObject({ code: 'SlowDown' });
    expect(await Promise.all(running)).toEqual([false, false]);
    expect(new Set(await Promise.all(queued))).toEqual(new Set(['stopped before the work']));
    expect(begun).toBe(34);
    await expect(hasher.verify('e', undefined, atOnce)).resolves.toBe(false);
  });
});
