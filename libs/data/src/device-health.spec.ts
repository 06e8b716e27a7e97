import { afterEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@holdfast/stdx';
import { devicesOfSet, HoldfastError, type DevicePlace } from '@holdfast/contracts';
import { clusterMapOf, deviceIdsOf, InMemoryUnitStore } from '@holdfast/testkit';
import { DeviceHealth } from './device-health.js';

const stops: DeviceHealth[] = [];
afterEach(() => {
  for (const health of stops.splice(0)) health.stop();
});

function start(remote: boolean) {
  const map = clusterMapOf({
    sets: [{ nodes: 2, devicesPerNode: 2 }],
    address: (nodeId) => (remote ? `${nodeId}:1` : ''),
  });
  const units = new InMemoryUnitStore(deviceIdsOf(map));
  const clock = new ManualClock();
  const health = new DeviceHealth(units, { clock });
  stops.push(health);
  const places = devicesOfSet(map.sets[0]);
  const writable = () => places.filter((place: DevicePlace) => health.mayWrite(place)).map(({ deviceId }) => deviceId);
  return { units, clock, health, places, writable };
}

describe('device health', () => {
  it('passes over a whole node that does not answer, and only the device that says it is dead', () => {
    const { health, places, writable } = start(true);
    health.noteFailure(places[0], new HoldfastError('ServiceUnavailable'));
    expect(writable()).toEqual(['s1d2', 's1d3']);
    health.noteFailure(places[2], new HoldfastError('DeviceDead'));
    expect(writable()).toEqual(['s1d3']);
    const damaged = start(true);
    damaged.health.noteFailure(damaged.places[0], new HoldfastError('MetadataDamaged'));
    expect(damaged.writable()).toEqual(['s1d1', 's1d2', 's1d3']);
    expect(damaged.health.mayRead(damaged.places[0])).toBe(false);
    const alone = start(false);
    alone.health.noteFailure(alone.places[0], new HoldfastError('ServiceUnavailable'));
    expect(alone.writable()).toEqual(['s1d1', 's1d2', 's1d3']);
  });

  it('a full device takes no units and still gives them', () => {
    const { health, places, writable } = start(true);
    health.noteFailure(places[1], new HoldfastError('DeviceFull'));
    expect(writable()).toEqual(['s1d0', 's1d2', 's1d3']);
    expect(health.mayRead(places[1])).toBe(true);
  });

  it('thinks nothing of errors that are not the device’s', () => {
    const { health, places } = start(true);
    for (const code of ['UnitExists', 'UnitDamaged', 'StaleEpoch', 'LateWrite', 'SlowDown', 'IncompleteBody'] as const)
      health.noteFailure(places[0], new HoldfastError(code));
    expect(health.allWell).toBe(true);
  });

  it('asks after 1 s, then less and less often up to 5 s, until the device is well', async () => {
    const { units, clock, health, places } = start(true);
    let failing = true;
    units.fault = () => {
      if (failing) throw new HoldfastError('ServiceUnavailable');
    };
    health.noteFailure(places[0], new HoldfastError('ServiceUnavailable'));
    const askedAtSeconds: number[] = [];
    for (let tenths = 1; tenths <= 200; tenths += 1) {
      clock.advance(100);
      const before = units.calls.length;
      await health.probeDue();
      if (units.calls.length > before) askedAtSeconds.push(tenths / 10);
    }
    expect(askedAtSeconds).toEqual([1, 3, 7, 12, 17]);
    failing = false;
    const version = health.version;
    clock.advance(5000);
    await health.probeDue();
    expect(health.allWell).toBe(true);
    expect(health.version).not.toBe(version);
  });

  it('a node that answers is well, though the device it was asked for is full', async () => {
    const { units, clock, health, places, writable } = start(true);
    health.noteFailure(places[0], new HoldfastError('ServiceUnavailable'));
    units.setFull('s1d0', true);
    clock.advance(1000);
    await health.probeDue();
    expect(writable()).toEqual(['s1d1', 's1d2', 's1d3']);
  });
});
