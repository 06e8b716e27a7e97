import { describe, expect, it } from '@jest/globals';
import { decodeChunkList, encodeChunkList, type ChunkEntry } from './chunk-list.codec.js';
import { ERRORS, HoldfastError } from './errors.js';
import { isId, newId, newRequestId } from './ids.js';
import { s } from './schema.js';
import { flowOfRequest, SEED_FLOWS } from './seed-flows.js';
import { TraceLog } from './trace-log.js';
import { Deadline } from '@holdfast/stdx';

const layout = (k: number, m: number) => ({
  chunkId: newId(),
  setId: 2,
  k,
  m,
  slots: Array.from({ length: k + m }, (_, i) => i * 3),
});

describe('packed chunk list', () => {
  it('gives back what it was given, with and without a secondary copy', () => {
    const chunks: ChunkEntry[] = [
      { sizeBytes: 8 << 20, primary: layout(4, 2), secondary: layout(2, 1) },
      { sizeBytes: 1, primary: layout(1, 0) },
    ];
    expect(decodeChunkList(encodeChunkList(chunks))).toEqual(chunks);
    expect(decodeChunkList(encodeChunkList([]))).toEqual([]);
  });

  it('refuses every cut of it but the whole, and a foreign format', () => {
    const packed = encodeChunkList([{ sizeBytes: 5, primary: layout(2, 1) }]);
    for (let length = 2; length < packed.length; length += 1)
      expect(() => decodeChunkList(packed.subarray(0, length))).toThrow(HoldfastError);
    expect(() => decodeChunkList(Buffer.from([2]))).toThrow(HoldfastError);
    expect(() => decodeChunkList(Buffer.alloc(0))).toThrow(HoldfastError);
  });
});

describe('schemas', () => {
  const schema = s.object({
    name: s.string(5),
    big: s.bigint,
    raw: s.bytes,
    list: s.array(s.integer(), 2),
    kind: s.optional(s.oneOf('a', 'b')),
    map: s.record(s.string()),
  });
  const value = { name: 'x', big: 1n << 60n, raw: Buffer.from([1, 255]), list: [1], map: { __proto__x: 'y' } };

  it('survives JSON', () => {
    expect(schema.decode(JSON.parse(JSON.stringify(schema.encode(value, 'v'))), 'v')).toEqual(value);
  });

  it.each([
    ['an unknown field', { extra: 1 }],
    ['a long string', { name: 'toolong' }],
    ['a number for a string', { name: 5 }],
    ['a plain number for 64 bits', { big: 5 }],
    ['too many items', { list: [1, 2, 3] }],
    ['a fraction', { list: [1.5] }],
    ['a word that is none of them', { kind: 'c' }],
    ['bytes that are no base64url', { raw: '+/' }],
  ])('refuses %s', (_what, change) => {
    const wire = { ...(schema.encode(value, 'v') as object), ...change };
    expect(() => schema.decode(wire, 'v')).toThrow(/expected/);
  });

  it('keeps __proto__ an ordinary key', () => {
    const decoded = s.record(s.string()).decode(JSON.parse('{"__proto__":"x"}'), 'v');
    expect([Object.keys(decoded), ({} as { x?: string }).x]).toEqual([['__proto__'], undefined]);
  });
});

describe('ids', () => {
  it('are 16 bytes in hex, time first', () => {
    expect(isId(newId())).toBe(true);
    for (const [nowMs, stamp] of [
      [1, '000000000001'],
      [1, '000000000001'],
      [0xabc, '000000000abc'],
      [1, '000000000001'],
    ] as const)
      expect(newId(nowMs).slice(0, 12)).toBe(stamp);
    expect(newRequestId()).toMatch(/^[0-9A-F]{16}$/);
  });
});

describe('error table', () => {
  it('has a real status for every name', () => {
    for (const [name, entry] of Object.entries(ERRORS))
      expect([name, entry.status >= 300 && entry.status < 600, entry.message.length > 5]).toEqual([name, true, true]);
  });
});

describe("the seed's flows", () => {
  it('are numbered from one without a gap', () => {
    for (const steps of Object.values(SEED_FLOWS))
      expect(steps.map((step) => step.step)).toEqual(steps.map((_, i) => i + 1));
    expect(Object.values(SEED_FLOWS).map((steps) => steps.length)).toEqual([10, 14, 15]);
  });

  it.each([
    ['PUT', '/bucket', 'bucket-creation'],
    ['PUT', '/bucket?policy', undefined],
    ['PUT', '/bucket/', 'bucket-creation'],
    ['PUT', '/bucket/key', 'object-creation'],
    ['POST', '/bucket', 'object-creation'],
    ['POST', '/bucket?delete', undefined],
    ['POST', '/', undefined],
    ['GET', '/bucket/a/b?x=1', 'object-download'],
    ['GET', '/bucket?list-type=2', undefined],
    ['GET', '/', undefined],
    ['HEAD', '/bucket/key', undefined],
    ['GET', '/_holdfast/health/live', undefined],
  ])('%s %s walks %s', (method, target, flow) => {
    expect(flowOfRequest(method, target)).toBe(flow);
  });

  it('a trace remembers steps of its flows only, and forgets the oldest when it is full', () => {
    const trace = new TraceLog('p', 3);
    const call = { requestId: 'A', deadline: Deadline.in(1), flow: 'object-download' as const };
    trace.step({ requestId: 'A' }, 1);
    expect(trace.find('A')).toEqual([]);
    for (let step = 1; step <= 5; step += 1) trace.step(call, step);
    expect(trace.find('A').map((event) => event.step)).toEqual([3, 4, 5]);
  });
});
