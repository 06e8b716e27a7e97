import { describe, expect, it } from '@jest/globals';
import { MIB } from '@holdfast/stdx';
import { SMALL_UNIT_RECORD_BYTES, putSmallUnitRecord } from '../log/log-record.codec.js';
import { seededRandom } from '../testing/seeded-random.js';
import { headerOf } from '../testing/store-fixture.js';
import type { UnitHeader } from '../unit-header.js';
import { LogUnits, type LogUnit } from './log-units.js';
import { unitKeyBytes } from './unit-record.codec.js';

class LogUnitsUnderTest {
  readonly mirror = Buffer.alloc(MIB);
  readonly units = new LogUnits(this.mirror);
  private at = 0;

  add(header: UnitHeader): LogUnit {
    const recordAt = this.at;
    this.at = putSmallUnitRecord(this.mirror, recordAt, header, 0, header.unitSizeBytes + 7);
    this.units.add(recordAt, 2 * recordAt);
    return this.units.end - 1;
  }
}

describe('units that stand in the log alone', () => {
  it('are found by their keys, also many more than there was room for, and no others', () => {
    const under = new LogUnitsUnderTest();
    const headers = Array.from({ length: 5000 }, (_, number) => headerOf(number, number));
    const found = headers.map((header) => under.add(header));
    headers.forEach((header, index) => {
      expect(under.units.find(unitKeyBytes(header))).toBe(found[index]);
      expect(under.units.header(found[index])).toEqual(header);
    });
    expect(under.units.checksum(found[5])).toBe(5 + 7);
    expect(under.units.bytesOffset(found[5])).toBe(10 * SMALL_UNIT_RECORD_BYTES);
    expect(under.units.find(unitKeyBytes(headerOf(5001, 0)))).toBeUndefined();
    expect(under.units.find(unitKeyBytes({ ...headers[4], unitIndex: 9 }))).toBeUndefined();
  });

  it('are found until they are dropped, and again when they come back', () => {
    const { units, add } = bound(new LogUnitsUnderTest());
    const header = headerOf(1, 100);
    const key = unitKeyBytes(header);
    const first = add(header);
    units.notePlaced(first);
    expect([units.find(key), units.waitingCount]).toEqual([first, 0]);
    expect(() => units.notePlaced(first)).toThrow('A unit moves once');
    units.drop(first);
    expect(units.find(key)).toBeUndefined();
    const second = add(header);
    expect([units.find(key), units.waitingCount]).toEqual([second, 1]);
    expect(() => units.clear()).toThrow('Units that are forgotten are in the trees');
    units.drop(second);
    units.clear();
    expect([units.find(key), units.end]).toEqual([undefined, 0]);
  });

  it('are told in the order of their keys, within a range, without those in the trees', () => {
    const { units, add } = bound(new LogUnitsUnderTest());
    const random = seededRandom(3);
    const headers = Array.from({ length: 300 }, (_, number) => headerOf(number, 0));
    const waiting = headers.filter((header) => {
      const unit = add(header);
      if (random() < 0.7) return true;
      if (random() < 0.5) units.notePlaced(unit);
      else units.drop(unit);
      return false;
    });
    const keys = waiting.map(unitKeyBytes).sort((a, b) => a.compare(b));
    const told = (from: Buffer, to?: Buffer): Buffer[] =>
      units.waitingBetween(from, to).map((unit) => unitKeyBytes(units.header(unit)));
    expect(told(Buffer.alloc(0))).toEqual(keys);
    expect(told(keys[10], keys[20])).toEqual(keys.slice(10, 20));
    expect(told(Buffer.concat([keys[10], Buffer.alloc(1)]), keys[20].subarray(0, 3))).toEqual(
      keys.slice(11).filter((key) => key.compare(keys[20].subarray(0, 3)) < 0),
    );
  });
});

function bound(under: LogUnitsUnderTest): { units: LogUnits; add: (header: UnitHeader) => LogUnit } {
  return { units: under.units, add: (header) => under.add(header) };
}
