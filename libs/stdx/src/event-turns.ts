import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Resolves after `count` turns of the event loop. Turns of a loop with nothing to do take microseconds, those of a busy one as
 * long as its work: who gathers for some turns waits where more is about to come, and hardly at all where nothing is.
 */
export async function eventTurns(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await nextTurn();
}
