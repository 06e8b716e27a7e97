import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { RawConnection } from '@holdfast/testkit';
import { TrustedProxies } from './client-address.js';
import { ConnectionCaps } from './connection-caps.js';
import { StrictHttpServer, type ConnectionLimits } from './strict-http-server.js';

const LIMITS: ConnectionLimits = {
  connectionsMax: 100,
  connectionsPerAddressMax: 100,
  headerTimeoutMs: 200,
  keepAliveTimeoutMs: 200,
  writeIdleTimeoutMs: 1000,
};
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

async function serve(limits: Partial<ConnectionLimits> = {}): Promise<{ port: number; requests: () => number }> {
  let requests = 0;
  const strict = new StrictHttpServer({
    limits: { ...LIMITS, ...limits },
    headerBytesMax: 16_384,
    onRequest: (_raw, out) => {
      requests += 1;
      out.end('ok');
    },
    encodeRefusal: (error) => ({ status: error.status, contentType: 'text/plain', body: error.code }),
  });
  const port = await strict.listen(0, '127.0.0.1');
  cleanups.push(() => void (strict.server.closeAllConnections(), strict.server.close()));
  return { port, requests: () => requests };
}

async function open(port: number): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  cleanups.push(() => connection.destroy());
  return connection;
}

describe('StrictHttpServer', () => {
  it('XF6: a connection that sends nothing is closed after the header timeout', async () => {
    const { port } = await serve();
    const silent = await open(port);
    const answer = await silent.answer();
    expect([answer.status, answer.body]).toEqual([400, 'RequestTimeout']);
    expect(await silent.closed()).toBe(true);
  });

  it('XF6: headers that come byte by byte do not move the header timeout', async () => {
    const { port, requests } = await serve();
    const slow = await open(port);
    slow.send('GET / HTTP/1.1\r\nx-slow: ');
    const timer = setInterval(() => slow.socket.writable && slow.send('x'), 20);
    expect((await slow.answer()).body).toBe('RequestTimeout');
    clearInterval(timer);
    expect(requests()).toBe(0);
  });

  it('XF6: an idle connection is closed after the keep-alive timeout', async () => {
    const { port } = await serve();
    const idle = await open(port);
    idle.send(GET);
    expect((await idle.answer()).status).toBe(200);
    expect(await idle.closed(3000)).toBe(true);
  });

  it('XF6: one connection over the cap is told to slow down, and those within it go on', async () => {
    const { port, requests } = await serve({ connectionsPerAddressMax: 2, keepAliveTimeoutMs: 5000 });
    const [first, second] = [await open(port), await open(port)];
    const third = await open(port);
    third.send(GET);
    const refused = await third.answer();
    expect([refused.status, refused.body]).toEqual([503, 'SlowDown']);
    expect(await third.closed()).toBe(true);
    for (const one of [first, second]) {
      one.send(GET);
      expect((await one.answer()).status).toBe(200);
    }
    expect(requests()).toBe(2);
    first.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const fourth = await open(port);
    fourth.send(GET);
    expect((await fourth.answer()).status).toBe(200);
  });
});

describe('ConnectionCaps', () => {
  const socketOf = (remoteAddress: string): Socket => ({ remoteAddress, once: () => undefined }) as unknown as Socket;

  it('XF6: counts each address for itself and all together; a trusted proxy in the whole alone', () => {
    const trustedProxies = new TrustedProxies(['10.0.0.1']);
    const caps = new ConnectionCaps({ connectionsMax: 7, connectionsPerAddressMax: 2, trustedProxies });
    const admit = (address: string): boolean => caps.admit(socketOf(address));
    expect(['192.0.2.1', '192.0.2.1', '::ffff:192.0.2.1'].map(admit)).toEqual([true, true, false]);
    expect(['192.0.2.2', '10.0.0.1', '10.0.0.1', '10.0.0.1'].map(admit)).toEqual([true, true, true, true]);
    expect(['192.0.2.3', '192.0.2.4', '10.0.0.1'].map(admit)).toEqual([true, false, false]);
  });
});
