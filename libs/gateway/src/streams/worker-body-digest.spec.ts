import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { InlineBodyDigest, type BodyDigest, type Digests } from './body-digest.js';
import { WorkerBodyDigest } from './worker-body-digest.js';

async function digestOf(digest: BodyDigest, body: Buffer, pieceBytes: number): Promise<Digests> {
  for (let at = 0; at < body.length; at += pieceBytes) await digest.update(body.subarray(at, at + pieceBytes));
  return digest.finish();
}

describe('digests in a thread of their own', () => {
  it.each([0, 1, 65_536, 3_000_001])('of %i bytes are those of the request thread', async (sizeBytes) => {
    const body = randomBytes(sizeBytes);
    const plan = { sha256: true, checksum: 'CRC32C' as const };
    const there = await digestOf(new WorkerBodyDigest(plan), body, 65_536);
    expect(there).toEqual(await digestOf(new InlineBodyDigest(plan), body, 65_536));
    expect(there.md5.equals(createHash('md5').update(body).digest())).toBe(true);
  });

  it('of many bodies at once are not mixed up, and one that is given up disturbs none', async () => {
    const bodies = Array.from({ length: 8 }, (_, i) => randomBytes(1_000_000 + i));
    const given = new WorkerBodyDigest({ sha256: false });
    await given.update(randomBytes(400_000));
    given.discard();
    const digests = await Promise.all(
      bodies.map((body) => digestOf(new WorkerBodyDigest({ sha256: false }), body, 50_000)),
    );
    digests.forEach(({ md5, sha256Hex }, i) => {
      expect(md5.equals(createHash('md5').update(bodies[i]).digest())).toBe(true);
      expect(sha256Hex).toBeUndefined();
    });
  });

  it('a sender that is faster than the thread waits', async () => {
    const digest = new WorkerBodyDigest({ sha256: true });
    const piece = randomBytes(1_000_000);
    let waits = 0;
    for (let i = 0; i < 40; i += 1) {
      const room = digest.update(piece);
      if (room !== undefined) {
        waits += 1;
        await room;
      }
    }
    const expected = createHash('md5');
    for (let i = 0; i < 40; i += 1) expected.update(piece);
    expect((await digest.finish()).md5.equals(expected.digest())).toBe(true);
    expect(waits).toBeGreaterThan(0);
  });
});
