export { assert, InvariantViolation } from './assert.js';
export { Clock, Deadline, ManualClock, SystemClock, systemClock } from './clock.js';
export { BLOCK_BYTES, GIB, KIB, MIB, TIB } from './units.js';
