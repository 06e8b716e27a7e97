/**
 * Units that stand in the log alone. Their records and bytes lie in its mirror, and are read from there; into the trees they
 * come when they move to data blocks. What is kept for each is where it stands in the mirror: no object, and no copy of its
 * key, so that a write leaves nothing behind for the collector of garbage.
 */
import { assert } from '@holdfast/stdx';
import { SMALL_UNIT_RECORD, decodeUnitHead } from '../log/log-record.codec.js';
import type { UnitHeader } from '../unit-header.js';
import { UNIT_KEY_BYTES } from './unit-record.codec.js';

/** Number of a unit, in the order of the log; it means nothing any more once all have moved. */
export type LogUnit = number;

/** Where a unit stands: in the log alone; in the trees while its bytes are written to data blocks; no more in the log. */
const State = { waiting: 0, placed: 1, gone: 2 } as const;

const UNITS_MIN = 1024;
const EMPTY = -1;

export class LogUnits {
  private recordAt = new Int32Array(UNITS_MIN);
  private bytesAt = new Int32Array(UNITS_MIN);
  private state = new Uint8Array(UNITS_MIN);
  /** A unit by the hash of its key, or in the first free slot behind it. Twice as many as units. */
  private slots = new Int32Array(2 * UNITS_MIN).fill(EMPTY);
  private count = 0;
  private waiting = 0;

  constructor(
    /** That of the log. */
    readonly mirror: Buffer,
  ) {}

  /** Units so far, those that are gone included. */
  get end(): LogUnit {
    return this.count;
  }

  /** Units that are in no tree. */
  get waitingCount(): number {
    return this.waiting;
  }

  find(key: Buffer): LogUnit | undefined {
    if (this.count === 0) return undefined;
    const mask = this.slots.length - 1;
    for (let slot = hashOf(key, 0, key[UNIT_KEY_BYTES - 1]) & mask; ; slot = (slot + 1) & mask) {
      const unit = this.slots[slot];
      if (unit === EMPTY) return undefined;
      if (this.state[unit] !== State.gone && this.compareKey(unit, key) === 0) return unit;
    }
  }

  /** A unit whose record and bytes stand there in the mirror, and that is nowhere else. */
  add(recordAt: number, bytesAt: number): void {
    if (this.count === this.state.length) this.grow();
    const unit = this.count;
    this.recordAt[unit] = recordAt;
    this.bytesAt[unit] = bytesAt;
    this.state[unit] = State.waiting;
    this.count += 1;
    this.waiting += 1;
    this.enter(unit);
  }

  isWaiting(unit: LogUnit): boolean {
    return this.state[unit] === State.waiting;
  }

  /** It is in the trees from here on. */
  notePlaced(unit: LogUnit): void {
    assert(this.isWaiting(unit), 'A unit moves once', { unit });
    this.state[unit] = State.placed;
    this.waiting -= 1;
  }

  /** Its bytes stand in data blocks, or it was freed. */
  drop(unit: LogUnit): void {
    if (this.isWaiting(unit)) this.waiting -= 1;
    this.state[unit] = State.gone;
  }

  /** Begins anew; all units are gone. */
  clear(): void {
    assert(this.waiting === 0, 'Units that are forgotten are in the trees', { waiting: this.waiting });
    this.count = 0;
    this.slots.fill(EMPTY);
  }

  header(unit: LogUnit): UnitHeader {
    return decodeUnitHead(this.mirror, this.recordAt[unit]);
  }

  recordOffset(unit: LogUnit): number {
    return this.recordAt[unit];
  }

  /** Where its bytes begin in the mirror. */
  bytesOffset(unit: LogUnit): number {
    return this.bytesAt[unit];
  }

  sizeBytes(unit: LogUnit): number {
    return this.mirror.readUInt32LE(this.recordAt[unit] + SMALL_UNIT_RECORD.sizeAt);
  }

  checksum(unit: LogUnit): number {
    return this.mirror.readUInt32LE(this.recordAt[unit] + SMALL_UNIT_RECORD.checksumAt);
  }

  /** Writes the key of the unit to the beginning of `target`. */
  copyKey(unit: LogUnit, target: Buffer): void {
    const record = this.recordAt[unit];
    const from = record + SMALL_UNIT_RECORD.chunkIdAt;
    for (let index = 0; index < UNIT_KEY_BYTES - 1; index += 1) target[index] = this.mirror[from + index];
    target[UNIT_KEY_BYTES - 1] = this.mirror[record + SMALL_UNIT_RECORD.unitIndexAt];
  }

  /** In the order of the keys. */
  compare(one: LogUnit, other: LogUnit): number {
    const { mirror } = this;
    const [left, right] = [this.recordAt[one], this.recordAt[other]];
    for (let at = SMALL_UNIT_RECORD.chunkIdAt, end = at + UNIT_KEY_BYTES - 1; at < end; at += 1) {
      const difference = mirror[left + at] - mirror[right + at];
      if (difference !== 0) return difference;
    }
    return mirror[left + SMALL_UNIT_RECORD.unitIndexAt] - mirror[right + SMALL_UNIT_RECORD.unitIndexAt];
  }

  /** Units in no tree with `from <= key < to`, in order. */
  waitingBetween(from: Buffer, to: Buffer | undefined): LogUnit[] {
    const found: LogUnit[] = [];
    if (this.waiting === 0) return found;
    for (let unit = 0; unit < this.count; unit += 1) {
      if (!this.isWaiting(unit) || this.compareKey(unit, from) < 0) continue;
      if (to === undefined || this.compareKey(unit, to) < 0) found.push(unit);
    }
    return found.sort((one, other) => this.compare(one, other));
  }

  /** Compares the key of the unit with one of any length. */
  private compareKey(unit: LogUnit, key: Buffer): number {
    const { mirror } = this;
    const record = this.recordAt[unit];
    const from = record + SMALL_UNIT_RECORD.chunkIdAt;
    for (let index = 0; index < UNIT_KEY_BYTES; index += 1) {
      if (index === key.length) return 1;
      const at = index < UNIT_KEY_BYTES - 1 ? from + index : record + SMALL_UNIT_RECORD.unitIndexAt;
      const difference = mirror[at] - key[index];
      if (difference !== 0) return difference;
    }
    return UNIT_KEY_BYTES - key.length;
  }

  private enter(unit: LogUnit): void {
    const { mirror, slots } = this;
    const record = this.recordAt[unit];
    const mask = slots.length - 1;
    const hash = hashOf(mirror, record + SMALL_UNIT_RECORD.chunkIdAt, mirror[record + SMALL_UNIT_RECORD.unitIndexAt]);
    let slot = hash & mask;
    while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
    slots[slot] = unit;
  }

  private grow(): void {
    const size = 2 * this.state.length;
    const larger = <Kind extends Int32Array | Uint8Array>(target: Kind, source: Kind): Kind => {
      target.set(source);
      return target;
    };
    this.recordAt = larger(new Int32Array(size), this.recordAt);
    this.bytesAt = larger(new Int32Array(size), this.bytesAt);
    this.state = larger(new Uint8Array(size), this.state);
    this.slots = new Int32Array(2 * size).fill(EMPTY);
    for (let unit = 0; unit < this.count; unit += 1) this.enter(unit);
  }
}

/** Of a chunk id of 16 bytes and a unit index. */
function hashOf(bytes: Buffer, at: number, unitIndex: number): number {
  let hash = unitIndex;
  for (let word = at; word < at + UNIT_KEY_BYTES - 1; word += 4) {
    const bits = bytes[word] | (bytes[word + 1] << 8) | (bytes[word + 2] << 16) | (bytes[word + 3] << 24);
    hash = Math.imul(hash ^ bits, 0x9e37_79b1);
    hash ^= hash >>> 15;
  }
  return hash;
}
