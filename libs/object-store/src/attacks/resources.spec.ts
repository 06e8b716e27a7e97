import { get } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DOORS, Doors, type Door } from './testing/doors.js';

let doors: Doors;
beforeAll(async () => {
  doors = await Doors.open({
    limits: {
      headerTimeoutMs: 300,
      keepAliveTimeoutMs: 400,
      bodyIdleTimeoutMs: 300,
      bodyGraceMs: 300,
      writeIdleTimeoutMs: 2000,
    },
  });
});
afterAll(() => doors.close());
beforeEach(() => doors.ports.forgetCalls());

const GIB = 1024 ** 3;
const PUT = 'PUT /bucket/sized HTTP/1.1';

/** Bytes of the body that a client got which now and then reads nothing for so many milliseconds. */
function readBytes(door: Door, path: string, pausesMs: readonly number[]): Promise<number> {
  const left = [...pausesMs];
  let receivedBytes = 0;
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${doors.bearer}` };
    const sent = get({ host: '127.0.0.1', port: doors.port(door), path, headers, agent: false }, (answer) => {
      answer.on('data', (piece: Buffer) => {
        receivedBytes += piece.length;
        const pauseMs = left.shift();
        if (pauseMs === undefined) return;
        answer.pause();
        setTimeout(() => answer.resume(), pauseMs);
      });
      answer.on('error', () => undefined);
      answer.on('close', () => resolve(receivedBytes));
    });
    sent.on('error', () => resolve(receivedBytes));
  });
}

describe.each(DOORS)('resources, by the %s', (door) => {
  it.each(['-1', 'NaN', '18446744073709551616', '18446744073709551617', '+5', '0x5', '5.0', '5e0', '', '5 5', '1_000'])(
    'XF1: a Content-Length of %p is 400, and the connection ends',
    async (length) => {
      const connection = await doors.connect(door);
      connection.send(`${doors.text(PUT, `Content-Length: ${length}`)}hello`);
      expect((await connection.answer()).status).toBe(400);
      expect(await connection.closed()).toBe(true);
      expect(doors.ports.calls).toEqual([]);
    },
  );

  it('XF2: neither a length nor chunks is 411 MissingContentLength', async () => {
    const answer = await doors.sendBytes(door, doors.text(PUT));
    expect(answer.status).toBe(411);
    expect(answer.body).toContain('<Code>MissingContentLength</Code>');
    const chunks = await doors.sendBytes(
      door,
      `${doors.text(PUT, 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    );
    expect(chunks.status).toBe(411);
    expect(doors.ports.backendCalls).toEqual([]);
  });

  it.each([
    ['5 GiB and a byte', 5 * GIB + 1],
    ['9 PB', 9_007_199_254_740_991],
  ])('XF3: a PUT of %s is refused before its body and before 100 Continue', async (_what, bytes) => {
    for (const expectation of [[], ['Expect: 100-continue']]) {
      const answer = await doors.sendBytes(door, doors.text(PUT, `Content-Length: ${bytes}`, ...expectation));
      expect(answer.status).toBe(400);
      expect(answer.body).toContain('<Code>EntityTooLarge</Code>');
    }
    const decoded = ['x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'x-amz-trailer: x-amz-checksum-crc32'];
    const framed = doors.text(PUT, 'Content-Length: 100', `x-amz-decoded-content-length: ${bytes}`, ...decoded);
    expect((await doors.sendBytes(door, framed)).body).toContain('<Code>EntityTooLarge</Code>');
    expect(doors.ports.backendCalls).toEqual([]);
  });

  it.each([
    ['gzip', gzipSync(Buffer.alloc(10_000_000))],
    ['br', brotliCompressSync(Buffer.alloc(10_000_000))],
  ])('XF4: a %s bomb is stored and returned as it is', async (encoding, body) => {
    const headers = { 'content-encoding': encoding };
    expect((await doors.sendSigned(door, { method: 'PUT', path: '/bucket/bomb', body, headers })).status).toBe(200);
    const read = await doors.sendSigned(door, { method: 'HEAD', path: '/bucket/bomb' });
    expect([read.headers['content-encoding'], read.headers['content-length']]).toEqual([encoding, String(body.length)]);
    const asXml = await doors.sendSigned(door, { method: 'POST', path: '/bucket?delete', body, headers });
    expect([asXml.status, asXml.code]).toEqual([400, 'MalformedXML']);
  });

  it('XF5: archives are not unpacked, and a selection answers 501 by its name', async () => {
    const headers = { 'x-amz-meta-snowball-auto-extract': 'true' };
    const tar = Buffer.alloc(1024, 't');
    expect((await doors.sendSigned(door, { method: 'PUT', path: '/bucket/a.tar', body: tar, headers })).status).toBe(
      200,
    );
    const listed = await doors.sendSigned(door, { method: 'GET', path: '/bucket?prefix=a.tar' });
    expect([...listed.text.matchAll(/<Key>/g)]).toHaveLength(1);
    const select = {
      method: 'POST',
      path: '/bucket/a.tar?select&select-type=2',
      body: '<SelectObjectContentRequest/>',
    };
    const answer = await doors.sendSigned(door, select);
    expect([answer.status, answer.text.includes('SelectObjectContent is not implemented')]).toEqual([501, true]);
  });

  it.each([
    ['aws-chunked', undefined],
    ['gzip, aws-chunked', 'gzip'],
    ['AWS-Chunked,aws-chunked', undefined],
  ])('XF5: a Content-Encoding of %s frames nothing by itself', async (encoding, kept) => {
    const body = '5;chunk-signature=x\r\nhello\r\n0\r\n\r\n';
    const put = { method: 'PUT', path: '/bucket/encoded', body, headers: { 'content-encoding': encoding } };
    expect((await doors.sendSigned(door, put)).status).toBe(200);
    const read = await doors.sendSigned(door, { method: 'GET', path: '/bucket/encoded' });
    expect([read.text, read.headers['content-encoding']]).toEqual([body, kept]);
  });

  it('XF6: headers that do not come end the connection after the header timeout', async () => {
    const connection = await doors.connect(door);
    connection.send('GET /bucket/key HTTP/1.1\r\nHost: loc');
    const timer = setInterval(() => connection.socket.writable && connection.send('x'), 30);
    const answer = await connection.answer();
    clearInterval(timer);
    expect(answer.body).toContain('<Code>RequestTimeout</Code>');
    expect(await connection.closed()).toBe(true);
  });

  it('XF6: a body that stops is 400 RequestTimeout, and nothing is stored', async () => {
    const connection = await doors.connect(door);
    connection.send(`${doors.text(PUT, 'Content-Length: 10')}hell`);
    const answer = await connection.answer();
    expect([answer.status, answer.body.includes('<Code>RequestTimeout</Code>')]).toEqual([400, true]);
    expect(await connection.closed()).toBe(true);
    expect(doors.ports.backendCalls).not.toContain('metadata.commitObject');
  });

  it('XF6: a body of one byte at a time, in chunks of one byte as well, is below the least rate', async () => {
    const framed = doors.text(
      PUT,
      'Transfer-Encoding: chunked',
      'x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length: 100000',
      'x-amz-trailer: x-amz-checksum-crc32',
    );
    for (const [head, piece] of [
      [doors.text(PUT, 'Content-Length: 100000'), 'x'],
      [framed, '1\r\nx\r\n'],
    ]) {
      const connection = await doors.connect(door);
      connection.send(head);
      const timer = setInterval(() => connection.socket.writable && connection.send(piece), 40);
      const answer = await connection.answer();
      clearInterval(timer);
      expect([answer.status, answer.body.includes('<Code>RequestTimeout</Code>')]).toEqual([400, true]);
    }
    expect(doors.ports.backendCalls).not.toContain('metadata.commitObject');
  });

  it('XF6: a client that does not read its answer is given up, one that reads in bursts is not', async () => {
    const body = Buffer.alloc(24 * 1024 * 1024, 'b');
    expect((await doors.sendSigned('API', { method: 'PUT', path: '/bucket/large', body })).status).toBe(200);
    expect(await readBytes(door, '/bucket/large', [5500])).toBeLessThan(body.length);
    expect(await readBytes(door, '/bucket/large', [200, 200, 200])).toBe(body.length);
  });

  it('XF6: an idle connection is closed', async () => {
    const idle = await doors.connect(door);
    idle.send(doors.text('GET /bucket/key HTTP/1.1'));
    expect((await idle.answer()).status).toBe(200);
    expect(await idle.closed()).toBe(true);
  });

  it('XF6: more connections of one address than the cap are told to slow down, and those within it go on', async () => {
    const capped = await Doors.open({ limits: { connectionsPerAddressMax: 40 } });
    try {
      const flood = await Promise.all(Array.from({ length: 60 }, () => capped.connect(door)));
      const first = await Promise.all(flood.map((connection) => connection.answer(1000)));
      const refused = first.filter(({ body }) => body.includes('<Code>SlowDown</Code>'));
      // The store's own connections count too: those of the load balancer to the API.
      expect(refused.length).toBeGreaterThanOrEqual(20);
      expect(refused.length).toBeLessThan(25);
      const held = flood.filter((_, index) => first[index].status === 0);
      held[0].send(capped.text('GET /bucket/key HTTP/1.1'));
      expect((await held[0].answer()).body).toBe('bucket');
    } finally {
      await capped.close();
    }
  });
});
