import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RawConnection } from '@holdfast/testkit';
import { DOORS, Doors, type Door } from './testing/doors.js';

let doors: Doors;
beforeAll(async () => {
  doors = await Doors.open({ limits: { headerTimeoutMs: 400 } });
});
afterAll(() => doors.close());
beforeEach(() => doors.ports.forgetCalls());

const PUT = 'PUT /bucket/framed HTTP/1.1';
const GET = 'GET /bucket/key HTTP/1.1';
const text = (line: string, ...headers: string[]): string => doors.text(line, ...headers);

async function refused(door: Door, bytes: string, statuses: readonly number[]): Promise<void> {
  const connection = await doors.connect(door);
  connection.send(bytes);
  const answer = await connection.answer();
  expect(statuses).toContain(answer.status);
  expect(await connection.closed()).toBe(true);
  expect(doors.ports.calls).toEqual([]);
}

describe.each(DOORS)('framing, by the %s', (door) => {
  it.each<[string, () => string]>([
    ['a length beside chunks', () => `${text(PUT, 'Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`],
    ['chunks beside a length', () => `${text(PUT, 'Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`],
    ['two equal lengths', () => `${text(PUT, 'Content-Length: 1', 'Content-Length: 1')}x`],
    ['two lengths', () => `${text(PUT, 'Content-Length: 1', 'Content-Length: 2')}x`],
    ['a list of lengths', () => `${text(PUT, 'Content-Length: 1, 1')}x`],
    ['an unknown coding', () => `${text(PUT, 'Transfer-Encoding: xchunked')}0\r\n\r\n`],
    ['a coding after chunked', () => `${text(PUT, 'Transfer-Encoding: chunked, identity')}0\r\n\r\n`],
    ['chunked twice', () => `${text(PUT, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n`],
    ['a blank before the colon', () => text(PUT, 'Content-Length : 5')],
    ['a blank before the name', () => text(PUT, ' Content-Length: 5')],
    ['a folded header', () => text(GET, 'x-folded: 1\r\n 2')],
    ['bare line feeds', () => `GET /bucket/key HTTP/1.1\nHost: a\n\n`],
    ['a bare line feed behind a header', () => text(GET, 'x-a: 1\nx-b: 2')],
    ['a bare carriage return', () => text(GET, 'x-a: 1\rx-b: 2')],
    ['NUL in a header', () => text(GET, 'x-a: 1\0')],
    ['NUL in the target', () => text('GET /bucket/k\0y HTTP/1.1')],
    ['a header section of 17 KiB', () => text(GET, `x-long: ${'x'.repeat(17 * 1024)}`)],
  ])('XH1: %s is 400', async (_what, bytes) => {
    await refused(door, bytes(), [400]);
  });

  it.each<[string, string]>([
    ['a size that is no number', 'x\r\nhello\r\n0\r\n\r\n'],
    ['a size with a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a size beyond 2^64', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
    ['no line end behind a chunk', '5\r\nhello0\r\n\r\n'],
    ['a bare line feed behind a size', '5\nhello\r\n0\r\n\r\n'],
  ])('XH1: a chunk with %s stores nothing', async (_what, body) => {
    const head = text(
      PUT,
      'Transfer-Encoding: chunked',
      'x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length: 5',
      'x-amz-trailer: x-amz-checksum-crc32',
    );
    const answer = await doors.sendBytes(door, head + body);
    expect([0, 400]).toContain(answer.status);
    expect(doors.ports.backendCalls).not.toContain('metadata.commitObject');
  });

  it.each<[string, () => string, number[]]>([
    ['a coding before chunked', () => `${text(PUT, 'Transfer-Encoding: gzip, chunked')}0\r\n\r\n`, [400]],
    [
      'chunks in HTTP/1.0',
      () => `${text('PUT /bucket/framed HTTP/1.0', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
      [400],
    ],
    ['HTTP/0.9', () => 'GET /bucket/key\r\n\r\n', [400]],
    ['a second Host', () => text(GET, 'Host: elsewhere'), [400]],
    ['no Host', () => 'GET /bucket/key HTTP/1.1\r\n\r\n', [400]],
    ['the absolute form', () => text('GET http://localhost/bucket/key HTTP/1.1'), [400]],
    ['the asterisk form', () => text('OPTIONS * HTTP/1.1'), [400]],
    ['TRACE', () => text('TRACE /bucket/key HTTP/1.1'), [405]],
    ['a second Authorization', () => text(GET, 'Authorization: Bearer other'), [400]],
    [
      'a second Content-Type',
      () => `${text(PUT, 'Content-Type: a/b', 'Content-Type: c/d', 'Content-Length: 1')}x`,
      [400],
    ],
    [
      'a second x-amz-meta of one name',
      () => `${text(PUT, 'x-amz-meta-a: 1', 'X-Amz-Meta-A: 2', 'Content-Length: 1')}x`,
      [400],
    ],
    ['a second Range', () => text(GET, 'Range: bytes=0-0', 'Range: bytes=1-1'), [400]],
  ])('XH2: %s is refused, although the parser takes it', async (_what, bytes, statuses) => {
    await refused(door, bytes(), statuses);
  });

  const framed = (): string =>
    text(
      PUT,
      'Transfer-Encoding: chunked',
      'x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length: 5',
      'x-amz-trailer: x-amz-checksum-crc32',
    );
  const content = '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n';
  const size = content.length.toString(16);

  it.each<[string, string[]]>([
    ['at once', [`${size};name=value\r\n${content}\r\n0\r\n\r\n`]],
    ['behind its size', [size, ';', 'name\r\n', content, '\r\n0\r\n\r\n']],
    ['at the last chunk', [`${size}\r\n${content}\r\n`, '0;end\r\n\r\n']],
    [
      'at a later chunk',
      [`5\r\n${content.slice(0, 5)}\r\n`, `${(content.length - 5).toString(16)};x\r\n${content.slice(5)}\r\n0\r\n\r\n`],
    ],
    ['as blanks', [`${size} \r\n${content}\r\n0\r\n\r\n`]],
  ])('XH2: a chunk extension %s is 400, and nothing is stored', async (_what, pieces) => {
    const connection = await doors.connect(door);
    connection.send(framed());
    for (const piece of pieces) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (connection.socket.writable) connection.send(piece);
    }
    expect((await connection.answer()).status).toBe(400);
    expect(await connection.closed()).toBe(true);
    expect((await doors.sendBytes(door, `${framed()}${pieces.join('')}`)).status).toBe(400);
    expect(doors.ports.backendCalls).not.toContain('metadata.commitObject');
  });

  it('XH2: a chunked body without extensions is stored, however it is cut, and the connection goes on', async () => {
    const request = `${framed()}${size}\r\n${content}\r\n0\r\nx-trailer: 1\r\n\r\n`;
    const connection = await doors.connect(door);
    for (const cut of [request.length, 1, 7, request.indexOf('\r\n\r\n') + 2]) {
      for (let at = 0; at < request.length; at += cut) {
        connection.send(request.slice(at, at + cut));
        if (cut < 100) await new Promise((resolve) => setImmediate(resolve));
      }
      expect((await connection.answer()).status).toBe(200);
      connection.send(text('GET /bucket/framed HTTP/1.1'));
      expect((await connection.answer()).body).toBe('hello');
    }
  });

  it('XH2: a chunked body behind another request is stored when its packet is its own, and else refused', async () => {
    const honest = `${framed()}${size}\r\n${content}\r\n0\r\n\r\n`;
    const get = text('GET /bucket/key HTTP/1.1');
    const plain = `${text('PUT /bucket/plain HTTP/1.1', 'Content-Length: 5')}hello`;
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
    for (const before of [get, plain]) {
      const connection = await doors.connect(door);
      connection.send(before);
      expect((await connection.answer()).status).toBe(200);
      connection.send(honest);
      expect((await connection.answer()).status).toBe(200);
    }
    const early = await doors.connect(door);
    early.send(get);
    await pause();
    early.send(honest);
    expect([(await early.answer()).status, (await early.answer()).status]).toEqual([200, 200]);

    // What ends a body looks like the end of a head and an honest body, to hide what stands behind it.
    const decoy = 'x\r\n\r\n0\r\n\r\n';
    const hidden = `${framed()}${size};x\r\n${content}\r\n0\r\n\r\n`;
    const theirs = text('PUT /theirs/key HTTP/1.1', `Content-Length: ${decoy.length}`);
    doors.ports.forgetCalls();
    for (const pieces of [
      [get + hidden],
      [theirs, decoy + hidden],
      [theirs, decoy + get + hidden],
      [theirs + decoy + hidden],
    ]) {
      const connection = await doors.connect(door);
      for (const piece of pieces) {
        connection.send(piece);
        await pause();
      }
      await connection.answer();
      expect(await connection.closed()).toBe(true);
      expect(doors.ports.backendCalls).not.toContain('metadata.commitObject');
    }
  });

  it('XH2: dots in a path stay where they are', async () => {
    expect(
      (await doors.sendBytes(door, `${text('PUT /bucket/../theirs/key HTTP/1.1', 'Content-Length: 4')}dots`)).status,
    ).toBe(200);
    expect((await doors.sendBytes(door, text('GET /bucket/../theirs/key HTTP/1.1'))).body).toBe('dots');
    expect((await doors.sendSigned(door, { method: 'GET', path: '/theirs/key' }, doors.other)).text).toBe('theirs');
  });

  it('XH3: no header is dropped in silence: 100 are kept, one more is 400', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => `x-${index}: 1`);
    expect((await doors.sendBytes(door, text(GET, ...many(98)))).status).toBe(200);
    doors.ports.forgetCalls();
    await refused(door, text(GET, ...many(99)), [400]);
    await refused(door, text(GET, ...Array.from({ length: 2500 }, () => 'a:')), [400]);
  });

  it('XH4: an unknown expectation is 417, an empty one means nothing', async () => {
    await refused(door, text(GET, 'Expect: a-miracle'), [417]);
    await refused(door, text(PUT, 'Content-Length: 1', 'Expect: 100-continue, a-miracle'), [417]);
    await refused(door, text(PUT, 'Content-Length: 1', 'Expect: 100-continue', 'Expect: 100-continue'), [400]);
    expect((await doors.sendBytes(door, text(GET, 'Expect: '))).status).toBe(200);
  });

  it('XH4: 100-continue is answered once the request is allowed, and no body means no answer to wait for', async () => {
    const connection = await doors.connect(door);
    connection.send(text('PUT /bucket/expected HTTP/1.1', 'Content-Length: 5', 'Expect: 100-continue'));
    expect((await connection.answer()).status).toBe(100);
    connection.send('hello');
    expect((await connection.answer()).status).toBe(200);
    expect((await doors.sendBytes(door, text(GET, 'Expect: 100-continue'))).status).toBe(200);
  });

  it.each<[string, () => string]>([
    ['CONNECT', () => 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    [
      'an upgrade to h2c',
      () => text(GET, 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'),
    ],
    [
      'an upgrade to WebSocket',
      () => text(GET, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'),
    ],
    ['the preface of HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a TLS greeting', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('XH5: %s is refused and the connection ends', async (_what, bytes) => {
    await refused(door, bytes(), [400, 405]);
  });

  it('XH6: of two requests sent at once each is judged for itself', async () => {
    const connection = await doors.connect(door);
    connection.send(
      text(GET) + 'GET /bucket/key HTTP/1.1\r\nHost: localhost\r\n\r\n' + text('GET /theirs/key HTTP/1.1'),
    );
    expect((await connection.answer()).body).toBe('bucket');
    expect((await connection.answer()).status).toBe(403);
    expect((await connection.answer()).status).toBe(403);
  });

  it('XH6: two tenants on one connection to the store stay apart', async () => {
    const other = doors.ports.memoryIdentity.tokenOf(doors.other.accessKeyId);
    const request = (path: string, bearer: string): string =>
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${bearer}\r\n\r\n`;
    const connection = await doors.connect(door);
    for (const [path, bearer, status] of [
      ['/bucket/key', doors.bearer, 200],
      ['/bucket/key', other, 403],
      ['/theirs/key', other, 200],
      ['/theirs/key', doors.bearer, 403],
    ] as const) {
      connection.send(request(path, bearer));
      expect((await connection.answer()).status).toBe(status);
    }
  });

  it('XH6: what follows a refused request in the same bytes is no request', async () => {
    const smuggled = 'DELETE /bucket/key HTTP/1.1\r\nHost: localhost\r\nx: ';
    await refused(door, text(PUT, 'Content-Length: 1', 'Transfer-Encoding: chunked') + `0\r\n\r\n${smuggled}`, [400]);
    await refused(door, text('TRACE /bucket/key HTTP/1.1') + smuggled, [405]);
    expect(await doors.stored('/bucket/key')).toBe('bucket');
  });

  it('XH7: errors are XML with the id of the answer, and tell nothing of the process', async () => {
    const answers = [
      await doors.sendBytes(door, text('GET /bucket/none HTTP/1.1')),
      await doors.sendBytes(door, text(GET, 'Host: elsewhere')),
      await doors.sendBytes(door, 'nonsense\r\n\r\n'),
      await doors.sendBytes(door, text(GET, 'Expect: a-miracle')),
      await doors.sendBytes(door, text('GET /bucket/%zz HTTP/1.1')),
    ];
    for (const { status, head, body } of answers) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(head).toMatch(/content-type: application\/xml/i);
      const requestId = /x-amz-request-id: ([0-9A-F]{16})/i.exec(head)?.[1];
      expect(body).toContain(`<RequestId>${requestId}</RequestId>`);
      expect(body).not.toMatch(/\.ts\b|\.js\b|node_modules|node:|at [A-Z]\w+\.|\/home\/|\/work\/|stack/);
    }
  });

  it('XH7: the body of a refused request is never read as the next request', async () => {
    const connection: RawConnection = await doors.connect(door);
    const body = 'GET /bucket/key HTTP/1.1\r\nHost: localhost\r\n\r\n';
    connection.send(`PUT /bucket/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect((await connection.answer()).status).toBe(403);
    const second = await connection.answer(300);
    expect(second.status).toBe(0);
  });
});
