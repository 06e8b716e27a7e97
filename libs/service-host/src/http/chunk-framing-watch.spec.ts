import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { ChunkFramingWatch, isChunked } from './chunk-framing-watch.js';

interface Told {
  readonly raw: IncomingMessage;
  /** In which piece the parser has the head whole. */
  readonly atPiece: number;
}

const request = (headers: Record<string, string>, complete = true): IncomingMessage =>
  ({ method: 'PUT', headers, complete }) as unknown as IncomingMessage;
const chunked = (): IncomingMessage => request({ 'transfer-encoding': 'chunked' });
const HEAD = 'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n';

/** The requests at fault in what arrives in `pieces`; it is watched from the piece with the first head of a chunked one. */
function faultsOf(pieces: readonly string[], told: readonly Told[]): IncomingMessage[] {
  const faults: IncomingMessage[] = [];
  const watch = new ChunkFramingWatch((raw) => faults.push(raw));
  const watchedFrom = told.find(({ raw }) => isChunked(raw))?.atPiece ?? 0;
  pieces.forEach((piece, index) => {
    if (index < watchedFrom) return;
    for (const { raw, atPiece } of told) if (atPiece === index) watch.begin(raw);
    const packet = Buffer.from(piece, 'latin1');
    if (index === watchedFrom) watch.readFirst(packet);
    else watch.read(packet);
  });
  return faults;
}

describe('ChunkFramingWatch', () => {
  const good = `${HEAD}5\r\nhello\r\nA;`.replace('A;', 'a\r\n0;x=y\r\n123\r\n0\r\ntrailer: 1\r\n\r\n');
  const bad = `${HEAD}5\r\nhello\r\n3;x\r\nabc\r\n0\r\n\r\n`;

  it.each([
    ['one header', HEAD],
    ['many headers', HEAD.replace('\r\n\r\n', '\r\nHost: a\r\n5: 1\r\nA:\r\n0: 0\r\n\r\n')],
    ['an empty line in front', `\r\n${HEAD}`],
  ])('XH2: finds an extension wherever the network cuts, and none in the bytes of a chunk: %s', (_what, head) => {
    for (const [body, count] of [
      [good.slice(HEAD.length), 0],
      [bad.slice(HEAD.length), 1],
      ['5;a\r\nhello\r\n0\r\n\r\n', 1],
      // Behind the extension stands what looks like the end of a head and an honest body.
      ['9;A: 1\r\nB: 2\r\n\r\n0\r\n0\r\n\r\n', 1],
      ['9;\r\nB: 2\r\n\r\n0\r\n0\r\n\r\n', 1],
    ] as const) {
      const text = head + body;
      for (let first = 1; first < text.length; first += 1) {
        for (let second = first; second <= text.length; second += 5) {
          const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)];
          const ends = [first, second, text.length];
          const atPiece = ends.findIndex((end) => end >= head.length);
          const faults = faultsOf(pieces, [{ raw: chunked(), atPiece }]);
          expect([first, second, faults.length]).toEqual([first, second, count]);
        }
      }
    }
  });

  it('XH2: nothing is taken when the packet with the head is not known, or holds another request', () => {
    const faults: IncomingMessage[] = [];
    const watch = new ChunkFramingWatch((raw) => faults.push(raw));
    const raw = chunked();
    watch.begin(raw);
    watch.readFirst(undefined);
    expect(faults).toEqual([raw]);
    const [first, second] = [chunked(), request({})];
    const packet = `${good}GET / HTTP/1.1\r\n\r\n`;
    expect(
      faultsOf(
        [packet],
        [
          { raw: first, atPiece: 0 },
          { raw: second, atPiece: 0 },
        ],
      ),
    ).toEqual([second]);
  });

  it.each(['5 \r\n', '5;\r\n', '+5\r\n', '0x5\r\n', ';\r\n', '\r\n', '00000000000000005\r\n', '5\n'])(
    'XH2: %j is more, or less, than a size',
    (line) => {
      expect(faultsOf([`${HEAD}${line}hello\r\n0\r\n\r\n`], [{ raw: chunked(), atPiece: 0 }])).toHaveLength(1);
    },
  );

  it('goes on behind requests without chunks', () => {
    const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    const raw = chunked();
    expect(
      faultsOf(
        [get, bad],
        [
          { raw: request({}), atPiece: 0 },
          { raw, atPiece: 1 },
        ],
      ),
    ).toEqual([raw]);
    expect(
      faultsOf(
        [get, good, get, good],
        [0, 1, 2, 3].map((atPiece) => ({ raw: atPiece % 2 === 0 ? request({}) : chunked(), atPiece })),
      ),
    ).toEqual([]);
  });

  it('XH2: a chunked body behind a request that is still under way is refused', () => {
    const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    const raw = chunked();
    expect(
      faultsOf(
        [get + good],
        [
          { raw: request({}), atPiece: 0 },
          { raw, atPiece: 0 },
        ],
      ),
    ).toEqual([raw]);
    const open = request({ 'content-length': '100' }, false);
    expect(
      faultsOf(
        [good, 'PUT / HTTP/1.1\r\n\r\nhel', `lo${good}`],
        [
          { raw: chunked(), atPiece: 0 },
          { raw: open, atPiece: 1 },
          { raw, atPiece: 2 },
        ],
      ),
    ).toEqual([raw]);
  });
});
