export { assert, InvariantViolation } from './assert.js';
export { charactersOf, hasAtMost } from './characters.js';
export { Clock, Deadline, ManualClock, systemClock } from './clock.js';
export { eventTurns } from './event-turns.js';
export { OnePiece } from './one-piece.js';
export { isPageAligned, pageMemory } from './page-memory.js';
export { JSON_DEPTH_MAX, LONE_SURROGATE, parseStrictJson } from './strict-json.js';
export { BLOCK_BYTES, GIB, KIB, MIB } from './units.js';
export { WholeBuffer } from './whole-buffer.js';
