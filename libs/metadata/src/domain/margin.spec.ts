import { describe, expect, it } from '@jest/globals';
import type { ChunkEntry, ClusterMap } from '@holdfast/contracts';
import { judgeMargin } from './margin.js';

const map = (
  change: (devices: { state: 'live' | 'failed'; generation: number; deviceId: string; slot: number }[]) => void = () =>
    undefined,
): ClusterMap => {
  const devices = [0, 1, 2, 3, 4, 5].map((slot) => ({
    deviceId: `d${slot}`,
    slot,
    generation: 1,
    state: 'live' as 'live' | 'failed',
  }));
  change(devices);
  const nodes = [{ nodeId: 'n', address: '', state: 'live' as const, controllers: [{ controllerId: 'c', devices }] }];
  return { clusterId: 'c', generation: 1, epoch: 1n, sets: [{ setId: 1, state: 'active', weight: 1, nodes }] };
};
const chunk = (k: number, m: number): ChunkEntry => ({
  sizeBytes: 1,
  primary: { chunkId: '00'.repeat(16), setId: 1, k, m, slots: Array.from({ length: k + m }, (_, slot) => slot) },
});
const fail = (...slots: number[]) =>
  map((devices) => {
    for (const slot of slots) devices[slot].state = 'failed';
  });

describe('the margin of a write after the map moved on', () => {
  it('is judged per chunk by the units that are gone', () => {
    expect(judgeMargin([chunk(4, 2)], map(), map())).toBe('whole');
    expect(judgeMargin([chunk(2, 2)], map(), fail(4, 5))).toBe('whole');
    expect(judgeMargin([chunk(4, 2)], map(), fail(3))).toBe('degraded');
    expect(judgeMargin([chunk(4, 2)], map(), fail(3, 4))).toBe('lost');
    expect(judgeMargin([chunk(1, 1)], map(), fail(1))).toBe('lost');
    expect(judgeMargin([chunk(1, 0)], map(), fail(0))).toBe('lost');
    expect(judgeMargin([chunk(4, 2), chunk(2, 1)], map(), fail(2))).toBe('lost');
    expect(judgeMargin([], map(), fail(0, 1, 2, 3, 4, 5))).toBe('whole');
  });

  it('a slot that was given another device holds nothing of the write, nor does a set that is gone', () => {
    const replaced = map((devices) => {
      devices[0] = { ...devices[0], deviceId: 'new', generation: 2 };
    });
    expect(judgeMargin([chunk(2, 2)], map(), replaced)).toBe('degraded');
    expect(judgeMargin([chunk(2, 2)], map(), { ...map(), sets: [] })).toBe('lost');
  });
});
