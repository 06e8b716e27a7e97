import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { INestMicroservice } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backgroundCall, defineService, HoldfastError, read, s, write, type CallContext } from '@holdfast/contracts';
import { InternalAuthenticator, RpcClient, rpcControllerOf, rpcServerOptions } from '@holdfast/service-host';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { remotePort } from './remote-port.js';

const contract = defineService('echo', {
  reverse: read(
    s.object({ text: s.string(), big: s.bigint, raw: s.bytes, maybe: s.optional(s.integer()) }),
    s.object({ text: s.string(), big: s.bigint, raw: s.bytes, maybe: s.optional(s.integer()), requestId: s.string() }),
  ),
  fail: write(s.object({ code: s.oneOf('NoSuchBucket', 'bug') }), s.nothing),
  slow: read(s.object({}), s.nothing),
});

class Echo {
  calls = 0;
  async reverse(call: CallContext, input: { text: string; big: bigint; raw: Buffer; maybe?: number }) {
    this.calls += 1;
    return { ...input, text: [...input.text].reverse().join(''), requestId: call.requestId };
  }
  async fail(_call: CallContext, input: { code: 'NoSuchBucket' | 'bug' }): Promise<void> {
    this.calls += 1;
    if (input.code === 'bug') throw new Error('a secret that must not travel');
    throw new HoldfastError('NoSuchBucket', undefined, { BucketName: 'b' });
  }
  async slow(call: CallContext): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, call.deadline.leftMs() + 200));
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('remote adapter over the control plane', () => {
  const secret = Buffer.alloc(32, 7);
  const echo = new Echo();
  let app: INestMicroservice;
  let port: number;
  const clients: RpcClient[] = [];
  const connect = (key: Buffer) => {
    const client = new RpcClient(new InternalAuthenticator(key), `127.0.0.1:${port}`);
    clients.push(client);
    return remotePort(contract, client);
  };

  beforeAll(async () => {
    port = await freePort();
    @Module({ controllers: [rpcControllerOf(contract, Echo)], providers: [{ provide: Echo, useValue: echo }] })
    class EchoModule {}
    app = await NestFactory.createMicroservice<MicroserviceOptions>(EchoModule, {
      ...rpcServerOptions(new InternalAuthenticator(secret), '127.0.0.1', port),
      logger: false,
    });
    await app.listen();
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await app.close();
  });

  it('carries text, bytes, 64-bit numbers, absent fields and the request id', async () => {
    const call = backgroundCall(2000);
    const input = { text: 'a🜁b', big: (1n << 63n) - 1n, raw: Buffer.from([0, 255, 10]) };
    expect(await connect(secret).reverse(call, input)).toEqual({ ...input, text: 'b🜁a', requestId: call.requestId });
  });

  it('gives errors of the table by name with their details, and nothing of a bug', async () => {
    const remote = connect(secret);
    await expect(remote.fail(backgroundCall(2000), { code: 'NoSuchBucket' })).rejects.toMatchObject({
      code: 'NoSuchBucket',
      details: { BucketName: 'b' },
    });
    const bug = await remote.fail(backgroundCall(2000), { code: 'bug' }).catch((error: unknown) => error);
    expect(bug).toMatchObject({ code: 'InternalError' });
    expect(String((bug as Error).message)).not.toContain('secret');
  });

  it('refuses a caller with another secret before the port is called', async () => {
    const before = echo.calls;
    await expect(
      connect(Buffer.alloc(32, 8)).reverse(backgroundCall(2000), { text: 'x', big: 0n, raw: Buffer.alloc(0) }),
    ).rejects.toMatchObject({ code: 'Unauthenticated' });
    expect(echo.calls).toBe(before);
  });

  it('refuses a message that does not fit its schema, on both sides', async () => {
    const remote = connect(secret);
    const wrong = { text: 'x', big: 0n, raw: Buffer.alloc(0), extra: 1 };
    await expect(remote.reverse(backgroundCall(2000), wrong)).rejects.toMatchObject({ code: 'SchemaViolation' });
    const client = new RpcClient(new InternalAuthenticator(secret), `127.0.0.1:${port}`);
    clients.push(client);
    await expect(client.call('echo.reverse', backgroundCall(2000), { text: 5 })).rejects.toMatchObject({
      code: 'SchemaViolation',
    });
    await expect(client.call('echo.nothing', backgroundCall(2000), {})).rejects.toMatchObject({
      code: 'NotImplemented',
    });
  });

  it('answers ServiceUnavailable at the deadline and for a service that is not there', async () => {
    await expect(connect(secret).slow(backgroundCall(150), {})).rejects.toMatchObject({ code: 'ServiceUnavailable' });
    const client = new RpcClient(new InternalAuthenticator(secret), `127.0.0.1:${await freePort()}`);
    clients.push(client);
    await expect(client.call('echo.slow', backgroundCall(500), {})).rejects.toMatchObject({
      code: 'ServiceUnavailable',
    });
  });
});
