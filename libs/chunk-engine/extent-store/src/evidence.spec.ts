/** The trials of the evidence commands, a few of each. */
import { describe, expect, it } from '@jest/globals';
import { damageAtRestTrials } from './testing/damage-at-rest.js';
import { damageInFlightTrials } from './testing/damage-in-flight.js';
import { modelTrials } from './testing/model-trials.js';
import { crashStateTrials, failedCallTrials, nestedCrashTrials } from './testing/trials.js';

const none = { failures: 0, problems: [] };

describe('evidence', () => {
  it('seed-2.17: states that a power cut leaves, of all workloads', async () => {
    const report = await crashStateTrials({ seed: 1, trials: 240 });
    expect(report).toMatchObject(none);
    expect(report.trials).toBe(240);
  });

  it('seed-1.18: cuts within a recovery', async () => {
    expect(await nestedCrashTrials({ seed: 2, trials: 200 })).toMatchObject(none);
  });

  it('seed-2.22: every call of a short run fails once, and the device is dead', async () => {
    const report = await failedCallTrials({ seed: 3, trials: 1000, rounds: 2 });
    expect(report).toMatchObject(none);
    expect(report.trials).toBeGreaterThan(60);
  });

  it('seed-2.26: damage to any kind of block is told, never a wrong byte or an absence', async () => {
    const report = await damageAtRestTrials({ seed: 4, trials: 2 });
    expect(report).toMatchObject(none);
    // 10 kinds of blocks and 7 faults in each layout, bytes of units never foreign; and in a pair the superblock of the data
    // file, which is never stale.
    expect(Object.values(report.made)).toEqual(new Array(142).fill(2));
  });

  it('seed-2.26: a device that loses or misplaces a write while the store runs is found out', async () => {
    const report = await damageInFlightTrials({ seed: 4, trials: 1 });
    expect(report).toMatchObject(none);
    expect(Object.values(report.made)).toEqual(new Array(60).fill(1));
  });

  it('random commands with reopens and cuts: what a Map holds', async () => {
    const report = await modelTrials({ seed: 5, trials: 40 });
    expect(report).toMatchObject(none);
    expect(report.reopens).toBeGreaterThan(20);
  });
});
