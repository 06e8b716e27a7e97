/** Pieces of a body are lent to the gateway: their memory holds other bytes as soon as it asks for the next piece. */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { InMemoryPorts, RawConnection } from '@holdfast/testkit';
import { S3Listener } from './s3-listener.js';

const MIB = 1024 * 1024;
const body = randomBytes(24 * MIB);
const ports = new InMemoryPorts();
const read = ports.memoryData.read.bind(ports.memoryData);
const listener = new S3Listener(ports);
const { accessKeyId } = ports.memoryIdentity.addAccount('main');
const authorization = `Bearer ${ports.memoryIdentity.tokenOf(accessKeyId)}`;
let port = 0;

const request = (method: string, path: string, ...headers: string[]): string =>
  [`${method} ${path} HTTP/1.1`, 'Host: x', `Authorization: ${authorization}`, ...headers, '', ''].join('\r\n');

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

beforeAll(async () => {
  port = await listener.listen(0);
  const connection = await RawConnection.open(port);
  connection.send(request('PUT', '/bucket', 'Content-Length: 0'));
  expect((await connection.answer()).status).toBe(200);
  connection.send(request('PUT', '/bucket/lent', `Content-Length: ${body.length}`));
  connection.send(body);
  expect((await connection.answer(30_000)).status).toBe(200);
  connection.destroy();
});
afterAll(() => listener.close());
afterEach(() => void jest.restoreAllMocks());

/** All pieces in one and the same memory, as a store that uses it again would give them. */
function lendOneMemory(pieceBytes: number): { isLeft: () => boolean } {
  let isLeft = false;
  jest.spyOn(ports.memoryData, 'read').mockImplementation(async function* (call, range) {
    const memory = Buffer.alloc(pieceBytes);
    try {
      for await (const chunk of read(call, range))
        for (let at = 0; at < chunk.length; at += pieceBytes) {
          yield memory.subarray(0, chunk.copy(memory, 0, at, at + pieceBytes));
          memory.fill(0xdb);
        }
    } finally {
      memory.fill(0xdb);
      isLeft = true;
    }
  });
  return { isLeft: () => isLeft };
}

/** The body of an answer to a client that reads nothing for a while, once and again. */
async function readSlowly(headers: readonly string[]): Promise<Buffer> {
  const connection = await RawConnection.open(port);
  connection.send(request('GET', '/bucket/lent', 'Connection: close', ...headers));
  for (let pauses = 0; pauses < 5; pauses += 1) {
    connection.socket.pause();
    await wait(60);
    connection.socket.resume();
    await wait(5);
  }
  expect(await connection.closed(20_000)).toBe(true);
  const received = connection.pending;
  return Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1');
}

describe('bytes that are lent to the gateway', () => {
  it.each([16 * 1024, 300_000, MIB, 8 * MIB])(
    'reach a client that reads slowly as they were, in pieces of %i bytes',
    async (pieceBytes) => {
      lendOneMemory(pieceBytes);
      expect(digestOf(await readSlowly([]))).toBe(digestOf(body));
    },
  );

  it('reach a client that asked for a range as they were, the last piece too', async () => {
    lendOneMemory(MIB);
    const ranged = await readSlowly(['Range: bytes=1000-17000000']);
    expect(digestOf(ranged)).toBe(digestOf(body.subarray(1000, 17_000_001)));
    lendOneMemory(16 * MIB);
    const onePiece = await readSlowly(['Range: bytes=5-16000000']);
    expect(digestOf(onePiece)).toBe(digestOf(body.subarray(5, 16_000_001)));
  });

  it('are given back when the client leaves half-way', async () => {
    const { isLeft } = lendOneMemory(8 * MIB);
    const connection = await RawConnection.open(port);
    connection.socket.pause();
    connection.send(request('GET', '/bucket/lent'));
    await wait(100);
    expect(isLeft()).toBe(false);
    connection.destroy();
    for (let tries = 0; tries < 100 && !isLeft(); tries += 1) await wait(20);
    expect(isLeft()).toBe(true);
    expect(listener.metrics.inflightCount).toBe(0);
  });

  it('are those of the source in a copy of it', async () => {
    lendOneMemory(MIB / 2);
    const connection = await RawConnection.open(port);
    connection.send(request('PUT', '/bucket/copy', 'x-amz-copy-source: /bucket/lent', 'Content-Length: 0'));
    expect((await connection.answer(30_000)).body).toContain(createHash('md5').update(body).digest('hex'));
    connection.destroy();
  });
});
