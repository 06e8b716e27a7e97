import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@holdfast/stdx';
import { FreshCache } from './fresh-cache.js';

function cacheOver(answers: (key: string) => Promise<string | undefined>, entriesMax = 100) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const cache = new FreshCache<string>(clock, 1_000, entriesMax, (key) => {
    asked.push(key);
    return answers(key);
  });
  return { clock, asked, cache };
}

describe('fresh cache', () => {
  it('asks once while fresh and again after the lifetime, for what is absent too', async () => {
    const { clock, asked, cache } = cacheOver(async (key) => (key === 'none' ? undefined : `value of ${key}`));
    for (const key of ['a', 'none']) {
      expect(await cache.get(key)).toBe(await cache.get(key));
      clock.advance(999);
      await cache.get(key);
      expect(asked).toEqual([key]);
      clock.advance(1);
      expect(cache.peek(key)).toBeUndefined();
      await cache.get(key);
      expect(asked.splice(0)).toEqual([key, key]);
    }
  });

  it('counts the age from the question, not from the answer', async () => {
    let answer = (_value: string): void => undefined;
    const { clock, asked, cache } = cacheOver(() => new Promise((resolve) => (answer = resolve)));
    const first = cache.get('a');
    clock.advance(600);
    answer('old');
    expect(await first).toBe('old');
    clock.advance(400);
    expect(cache.peek('a')).toBeUndefined();
    void cache.get('a');
    expect(asked).toEqual(['a', 'a']);
  });

  it('lets concurrent questions share one load, and remembers no failure', async () => {
    let fails = true;
    const { asked, cache } = cacheOver(async () => {
      if (fails) throw new Error('down');
      return 'up';
    });
    const results = await Promise.allSettled([cache.get('a'), cache.get('a'), cache.get('a')]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(asked).toEqual(['a']);
    fails = false;
    expect(await cache.get('a')).toBe('up');
  });

  it('does not remember, nor hand out, a load that began before a clear', async () => {
    const answers: ((value: string) => void)[] = [];
    const { cache } = cacheOver(() => new Promise((resolve) => answers.push(resolve)));
    const before = cache.get('a');
    cache.clear();
    const after = cache.get('a');
    answers[1]('new');
    expect(await after).toBe('new');
    answers[0]('old');
    expect(await before).toBe('old');
    expect(cache.peek('a')).toBe('new');
  });

  it('is bounded, and guesses do not push out what exists', async () => {
    const { asked, cache } = cacheOver(async (key) => (key.startsWith('guess') ? undefined : key), 2);
    await cache.get('real');
    for (let i = 0; i < 10; i++) await cache.get(`guess-${i}`);
    expect(cache.peek('real')).toBe('real');
    for (const key of ['x', 'y']) await cache.get(key);
    expect(cache.peek('real')).toBeUndefined();
    expect(asked).toHaveLength(13);
  });
});
