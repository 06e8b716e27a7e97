import { describe, expect, it } from '@jest/globals';
import { eventTurns } from './event-turns.js';

describe('turns of the event loop', () => {
  it('lets as many go by as were asked for', async () => {
    let turns = 0;
    const count = (): void => {
      turns += 1;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    await eventTurns(3);
    clearImmediate(counting);
    expect(turns).toBe(3);
  });

  it('none at all', async () => {
    let turned = false;
    const turn = setImmediate(() => (turned = true));
    await eventTurns(0);
    clearImmediate(turn);
    expect(turned).toBe(false);
  });
});
