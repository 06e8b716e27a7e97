export { assert, InvariantViolation } from './assert.js';
export { Clock, Deadline, ManualClock, systemClock } from './clock.js';
export { BLOCK_BYTES, GIB, KIB, MIB } from './units.js';
