import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server, type Socket } from 'node:net';
import { findFreePort } from './free-port.js';
import { resolveKafka } from './kafka.js';
import { resolvePostgres } from './postgres.js';

const UNUSED = '/nonexistent/holdfast';
const servers: { server: Server; sockets: Set<Socket> }[] = [];

async function listen(onData: (socket: Socket, data: Buffer) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => onData(socket, data));
  });
  servers.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

afterEach(async () => {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Just enough of the Postgres protocol to accept a session and to answer SHOW server_version_num. */
async function listenAsPostgres(versionNumber: string): Promise<number> {
  const message = (type: string, body: Buffer) => {
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeUInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const ready = message('Z', Buffer.from('I'));
  const numbers = (...values: [size: 2 | 4, value: number][]) =>
    Buffer.concat(
      values.map(([size, value]) => {
        const bytes = Buffer.alloc(size);
        bytes.writeIntBE(value, 0, size);
        return bytes;
      }),
    );
  const description = [numbers([2, 1]), Buffer.from('server_version_num\0'), numbers([4, 0], [2, 0], [4, 25])];
  const rest = numbers([2, -1], [4, -1], [2, 0]);
  const answer = Buffer.concat([
    message('T', Buffer.concat([...description, rest])),
    message('D', Buffer.concat([numbers([2, 1], [4, versionNumber.length]), Buffer.from(versionNumber)])),
    message('C', Buffer.from('SHOW\0')),
    ready,
  ]);
  return listen((socket, data) => {
    if (data[0] === 0) socket.write(Buffer.concat([message('R', numbers([4, 0])), ready]));
    else if (data[0] === 'Q'.charCodeAt(0)) socket.write(answer);
  });
}

describe('a Postgres that others run', () => {
  it('is taken as it is from version 15 on, and stopping it does nothing', async () => {
    const port = await listenAsPostgres('150004');
    const databaseUrl = `postgres://someone:secret@127.0.0.1:${port}/objects`;
    const resolved = await resolvePostgres({ directory: UNUSED, databaseUrl });
    expect(resolved).toMatchObject({ external: true, url: databaseUrl });
    await resolved.stop();
  });

  it('is refused when it is too old, without its password in the message', async () => {
    const port = await listenAsPostgres('140012');
    const databaseUrl = `postgres://someone:secret@127.0.0.1:${port}/objects`;
    const error: unknown = await resolvePostgres({ directory: UNUSED, databaseUrl }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TooOld', message: expect.stringMatching(/is Postgres 14; .* needs 15/) });
    expect(String(error)).not.toContain('secret');
  });

  it('that does not answer is named with its address', async () => {
    const port = await findFreePort();
    const databaseUrl = `postgres://someone:secret@127.0.0.1:${port}/objects`;
    const error: unknown = await resolvePostgres({ directory: UNUSED, databaseUrl }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'NotReachable',
      message: expect.stringContaining(`someone@127.0.0.1:${port}/objects): nothing listens there`),
    });
    expect(String(error)).not.toContain('secret');
  });

  it.each(['not a url', 'mysql://127.0.0.1/x'])('%s is refused as a DATABASE_URL', async (databaseUrl) => {
    await expect(resolvePostgres({ directory: UNUSED, databaseUrl })).rejects.toMatchObject({
      code: 'NotReachable',
      message: expect.stringContaining('postgres://'),
    });
  });
});

describe('a Kafka that others run', () => {
  /** Answers ApiVersions with the correlation id of the request. */
  const listenAsKafka = () =>
    listen((socket, request) => {
      const answer = Buffer.alloc(10);
      answer.writeUInt32BE(6, 0);
      request.copy(answer, 4, 8, 12);
      socket.write(answer);
    });

  it('is taken when one of its brokers answers, and stopping it does nothing', async () => {
    const [up, down] = [await listenAsKafka(), await findFreePort()];
    const kafkaBrokers = ` 127.0.0.1:${down}, 127.0.0.1:${up},`;
    const resolved = await resolveKafka({ directory: UNUSED, kafkaBrokers });
    expect(resolved).toMatchObject({ external: true, brokers: [`127.0.0.1:${down}`, `127.0.0.1:${up}`] });
    await resolved.stop();
  });

  it('is refused when what listens there is something else', async () => {
    const port = await listen((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await expect(resolveKafka({ directory: UNUSED, kafkaBrokers: `127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'NotReachable',
      message: expect.stringContaining('does not speak the Kafka protocol'),
    });
  });

  it('is refused when nobody answers, with every address and its reason', async () => {
    const port = await findFreePort();
    await expect(resolveKafka({ directory: UNUSED, kafkaBrokers: `127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'NotReachable',
      message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`)),
    });
  });

  it.each(['127.0.0.1:99999', 'http://127.0.0.1:9092', 'a b:1'])('%s is refused as KAFKA_BROKERS', async (list) => {
    await expect(resolveKafka({ directory: UNUSED, kafkaBrokers: list })).rejects.toThrow('is not host:port');
  });
});
