import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { backgroundCall, newId, type ReadRange, type UnitHeader } from '@holdfast/contracts';
import { InternalAuthenticator } from '@holdfast/service-host';
import { DataPlaneConnections, type DataPlaneOptions } from './data-plane-connections.js';
import { RemoteObjectData } from './object-data.client.js';
import { RemoteUnitStore } from './unit-store.client.js';

const call = () => backgroundCall(5000);
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(
  listener: RequestListener,
  onContinue?: RequestListener,
): Promise<{ server: Server; address: string }> {
  const server = createServer(listener);
  if (onContinue !== undefined) server.on('checkContinue', onContinue);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function connect(options: DataPlaneOptions = {}): DataPlaneConnections {
  const connections = new DataPlaneConnections(new InternalAuthenticator(randomBytes(32)), options);
  closers.push(() => connections.close());
  return connections;
}

const device = (address: string) => ({ deviceId: 'd1', nodeId: 'n1', address });
const unit = { chunkId: newId(), unitIndex: 0 };
const header = (unitSizeBytes: number): UnitHeader => {
  const shape = { k: 1, m: 1, chunkSizeBytes: unitSizeBytes, unitSizeBytes };
  return { ...unit, ...shape, bucketId: 1n, writeId: newId() };
};
async function* once(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}
async function collect(bytes: AsyncIterable<Buffer>): Promise<number> {
  let total = 0;
  for await (const piece of bytes) total += piece.length;
  return total;
}

describe('units over HTTP', () => {
  it('a node that is not there is ServiceUnavailable at once', async () => {
    const { server, address } = await serve(() => undefined);
    await new Promise((resolve) => server.close(resolve));
    const units = new RemoteUnitStore(connect());
    await expect(units.read(call(), device(address), unit, 0, 10)).rejects.toMatchObject({
      code: 'ServiceUnavailable',
    });
    await expect(
      units.write(call(), device(address), header(100_000), 1n, () => once(randomBytes(100_000))),
    ).rejects.toMatchObject({ code: 'ServiceUnavailable' });
  });

  it('a node that says nothing is given up after the silence that is allowed', async () => {
    const silent: RequestListener = () => undefined;
    const { address } = await serve(silent, silent);
    const units = new RemoteUnitStore(connect({ silenceTimeoutMs: 50 }));
    let pulls = 0;
    const pull = () => {
      pulls += 1;
      return once(randomBytes(100_000));
    };
    await expect(units.status(call(), device(address))).rejects.toMatchObject({ code: 'ServiceUnavailable' });
    await expect(units.write(call(), device(address), header(100_000), 1n, pull)).rejects.toMatchObject({
      code: 'ServiceUnavailable',
    });
    expect(pulls).toBe(0);
  });

  it('seed-2.18: sends nothing of a large unit that the node refuses', async () => {
    let receivedBytes = 0;
    const refuse: RequestListener = (request, response) => {
      request.on('data', (piece: Buffer) => (receivedBytes += piece.length));
      response.writeHead(503, { connection: 'close', 'content-type': 'application/json' });
      response.end(JSON.stringify({ code: 'DeviceFull', message: 'full', details: {} }));
    };
    const { address } = await serve(refuse, refuse);
    const units = new RemoteUnitStore(connect());
    let pulls = 0;
    const pull = () => {
      pulls += 1;
      return once(randomBytes(1_000_000));
    };
    // Chunked, so that the length of the error is not announced: still an error, by name or as the node's silence.
    await expect(units.write(call(), device(address), header(1_000_000), 1n, pull)).rejects.toMatchObject({
      status: 503,
    });
    expect([pulls, receivedBytes]).toEqual([0, 0]);
  });

  it('repeats a request on a new connection when the kept one turns out to be closed', async () => {
    const seen = new Map<unknown, number>();
    let closed = 0;
    const { address } = await serve((request, response) => {
      const count = (seen.get(request.socket) ?? 0) + 1;
      seen.set(request.socket, count);
      if (count > 1) {
        closed += 1;
        request.socket.destroy();
        return;
      }
      response.writeHead(204, { 'x-holdfast-unit': 'absent' }).end();
    });
    const units = new RemoteUnitStore(connect());
    for (let round = 0; round < 3; round += 1)
      expect(await units.read(call(), device(address), unit, 0, 10)).toBeUndefined();
    expect(closed).toBeGreaterThan(0);
  });

  it('takes only the node’s own word for "not here", and only whole answers', async () => {
    const answers: ((response: ServerResponse) => void)[] = [
      (response) => response.writeHead(404).end(),
      (response) => response.writeHead(204).end(),
      (response) => response.writeHead(200, { 'content-length': 10 }).end(randomBytes(10)),
      (response) =>
        response.writeHead(200, { 'x-holdfast-unit': 'nonsense', 'content-length': 10 }).end(randomBytes(10)),
      (response) => {
        response.writeHead(200, { 'x-holdfast-unit': `1 1 10 10 1 ${newId()}`, 'content-length': 10 });
        response.write(randomBytes(4));
        setTimeout(() => response.destroy(), 5);
      },
    ];
    for (const answer of answers) {
      const { address } = await serve((_request, response) => answer(response));
      const units = new RemoteUnitStore(connect());
      await expect(units.read(call(), device(address), unit, 0, 10)).rejects.toMatchObject({ status: 503 });
    }
  });
});

describe('objects over HTTP', () => {
  const range: ReadRange = {
    chunks: [{ sizeBytes: 1_000_000, primary: { chunkId: newId(), setId: 1, k: 1, m: 0, slots: [0] } }],
    firstByte: 0,
    lastByte: 999_999,
  };
  const objectsAt = (address: string, options: { answerTimeoutMs?: number } = {}) =>
    new RemoteObjectData(connect(), { pickAddress: () => address, ...options });

  it('fewer bytes than announced are an error', async () => {
    const { address } = await serve((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-length': 1_000_000 });
      response.write(randomBytes(900_000));
      setTimeout(() => response.destroy(), 5);
    });
    await expect(collect(objectsAt(address).read(call(), range))).rejects.toMatchObject({ code: 'ServiceUnavailable' });
  });

  it('another length than asked for is an error before the first byte', async () => {
    const { address } = await serve((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-length': 10 }).end(randomBytes(10));
    });
    await expect(collect(objectsAt(address).read(call(), range))).rejects.toMatchObject({ code: 'ServiceUnavailable' });
  });

  it('a service that stops in the middle is given up, a reader that takes its time is not', async () => {
    const { address } = await serve((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-length': 1_000_000 });
      response.write(randomBytes(500_000));
    });
    let gotBytes = 0;
    const read = async () => {
      for await (const piece of objectsAt(address, { answerTimeoutMs: 60 }).read(call(), range)) {
        gotBytes += piece.length;
        if (gotBytes < 200_000) await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'ServiceUnavailable' });
    expect(gotBytes).toBe(500_000);
  });

  it('a service that takes its time before the first byte is waited for as long as for any other', async () => {
    const { address } = await serve((request, response) => {
      request.resume();
      setTimeout(() => response.writeHead(200, { 'content-length': 1_000_000 }).end(randomBytes(1_000_000)), 200);
    });
    const read = (answerTimeoutMs: number) => {
      const connections = connect({ silenceTimeoutMs: 50 });
      const objects = new RemoteObjectData(connections, { pickAddress: () => address, answerTimeoutMs });
      return collect(objects.read(call(), range));
    };
    expect(await read(4000)).toBe(1_000_000);
    await expect(read(50)).rejects.toMatchObject({ code: 'ServiceUnavailable' });
  });

  it('seed-3.17: a reader that leaves takes the request with it', async () => {
    let gone: () => void = () => undefined;
    const left = new Promise<void>((resolve) => (gone = resolve));
    const { address } = await serve((request, response) => {
      request.resume();
      response.on('close', gone);
      response.writeHead(200, { 'content-length': 1_000_000 });
      response.write(randomBytes(100_000));
    });
    for await (const piece of objectsAt(address).read(call(), range)) if (piece.length > 0) break;
    await left;
  });

  it('a body that is refused is not read on, and one that breaks off is not ended', async () => {
    const ended: boolean[] = [];
    const whenEnded = async (count: number) => {
      while (ended.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    let begun: () => void = () => undefined;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const { address } = await serve((request: IncomingMessage, response) => {
      request.once('data', () => {
        if (request.url?.includes('expected=1') === true) return begun();
        const text = JSON.stringify({ code: 'SlowDown', message: 'busy', details: {} });
        response.writeHead(503, { 'content-length': text.length }).end(text);
      });
      request.on('error', () => undefined);
      request.socket.on('close', () => ended.push(request.complete));
    });
    const objects = objectsAt(address);
    const target = { bucketId: 1n, homeSetId: 1, profile: { k: 2, m: 1, secondary: false }, writeId: newId() };
    let pulled = 0;
    const endless = async function* (): AsyncIterable<Buffer> {
      for (;;) {
        pulled += 1;
        yield Buffer.alloc(65_536);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await expect(objects.write(call(), target, endless())).rejects.toMatchObject({ code: 'SlowDown' });
    const after = pulled;
    await whenEnded(1);
    expect(pulled - after).toBeLessThan(3);
    const breaking = async function* (): AsyncIterable<Buffer> {
      yield Buffer.alloc(10);
      await hasBegun;
      throw new Error('the client has gone');
    };
    const broken = objects.write(call(), { ...target, expectedBytes: 1 }, breaking());
    await expect(broken).rejects.toThrow('the client has gone');
    await whenEnded(2);
    expect(ended).toEqual([false, false]);
  });
});
