import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ID_BYTES, isHexId, putHexId } from './hex-id.js';

describe('hexadecimal ids', () => {
  it('become their bytes, and nothing beside them is touched', () => {
    for (const id of [
      Buffer.alloc(ID_BYTES),
      Buffer.alloc(ID_BYTES, 0xff),
      ...Array.from({ length: 50 }, () => randomBytes(ID_BYTES)),
    ]) {
      const target = Buffer.alloc(ID_BYTES + 2, 7);
      putHexId(target, 1, id.toString('hex'));
      expect(target).toEqual(Buffer.concat([Buffer.from([7]), id, Buffer.from([7])]));
    }
  });

  it('have 32 digits in lower case and nothing else', () => {
    const id = '0123456789abcdef0123456789abcdef';
    expect(isHexId(id)).toBe(true);
    const others = ['', id.slice(1), `${id}0`, id.toUpperCase()];
    for (const char of ['g', '/', ':', '`', 'A', ' ', '\n', '\0', 'ä', 'Ā', '\u0130', '\uff10']) {
      others.push(`${char}${id.slice(1)}`, `${id.slice(0, -1)}${char}`);
    }
    for (const other of others) expect([other, isHexId(other)]).toEqual([other, false]);
  });
});
