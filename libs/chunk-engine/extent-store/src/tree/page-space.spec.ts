/** Pages are taken before the frontier while one is free there, never where zeros are being written, and each by one. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PageSpace } from './page-space.js';

type Step = 'take' | 'give back' | 'drop' | 'checkpoint' | 'begin' | 'end';
const STEPS: readonly Step[] = ['take', 'take', 'take', 'give back', 'drop', 'checkpoint', 'begin', 'end'];

describe('page space', () => {
  it('seed-1.7: random taking, dropping and filling agrees with a model', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.nat(1000)), { maxLength: 400 });
    fc.assert(
      fc.property(fc.integer({ min: 64, max: 300 }), fc.nat(320), steps, (pageCount, hint, work) => {
        const space = new PageSpace(pageCount);
        space.setFrontier(hint);
        const live = new Set<number>();
        const held: Set<number>[] = [new Set(), new Set()];
        let filling: { from: number; end: number } | undefined;
        const isBusy = (page: number): boolean => live.has(page) || held.some((pages) => pages.has(page));
        const freeBetween = (from: number, to: number): number[] =>
          Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index).filter(
            (page) => page > 0 && !isBusy(page),
          );
        for (const [step, pick] of work) {
          const filled = freeBetween(0, space.frontier);
          const behind = freeBetween(filling?.end ?? space.frontier, pageCount);
          expect(space.freeFilledPages).toBe(filled.length);
          if (step === 'take' && filled.length + behind.length > 0) {
            const page = space.take();
            expect(filled.length > 0 ? filled : behind).toContain(page);
            live.add(page);
          } else if (step === 'take') expect(() => space.take()).toThrow(RangeError);
          else if (step === 'begin' && filling === undefined) {
            const from = space.frontier;
            const { extents, end } = space.beginFill(16 + (pick % 3) * 8);
            filling = { from, end };
            const named = extents.flatMap(({ start, blocks }) => Array.from({ length: blocks }, (_, at) => start + at));
            expect(named.filter((page) => page > 0)).toEqual(freeBetween(from, end));
          } else if (step === 'end' && filling !== undefined) {
            // It may have been cut short.
            const reached = pick % 2 === 0 ? filling.end : filling.from + (pick % (filling.end - filling.from + 1));
            space.endFill(reached);
            expect(space.frontier).toBeLessThanOrEqual(reached);
            expect(space.frontier).toBeGreaterThan(reached - 8);
            filling = undefined;
          } else if (step === 'checkpoint') {
            space.freeze();
            space.thaw();
            held.forEach((pages) => pages.clear());
          } else if (live.size > 0) {
            const page = [...live][pick % live.size];
            live.delete(page);
            if (step === 'give back') space.giveBack(page);
            else if (step === 'drop') {
              space.drop(page);
              held[0].add(page);
            } else live.add(page);
          }
          expect(space.freePages).toBe(freeBetween(0, pageCount).length);
          expect([...space.livePages()]).toEqual([...live].sort((one, other) => one - other));
        }
      }),
      { numRuns: 60 },
    );
  });
});
