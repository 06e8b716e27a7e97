/** Pieces of a body are lent to the data service's door: their memory holds other bytes as soon as it asks for the next one. */
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DataPlaneConnections, RemoteObjectData } from '@holdfast/clients';
import { backgroundCall, LIMITS, newId, ObjectData, type CallContext, type ReadRange } from '@holdfast/contracts';
import { ObjectDataHttpController } from '@holdfast/data';
import { configureLog, HealthState, InternalAuthenticator, InternalHttpServer } from '@holdfast/service-host';

configureLog({ service: 'test', level: 'error' });

const MIB = 1024 * 1024;
const CHUNK = LIMITS.chunkBytesMax;
const secret = randomBytes(32);
const call = () => backgroundCall(30_000);
const opened: { close(): Promise<void> | void }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

/** Gives all pieces in one and the same memory, as a store that uses it again would. */
class OneMemory extends ObjectData {
  isLeft = false;

  constructor(private readonly body: Buffer) {
    super();
  }

  override write(): never {
    throw new Error('nothing is written here');
  }

  override async *read(_call: CallContext, { firstByte, lastByte }: ReadRange): AsyncIterable<Buffer> {
    const memory = Buffer.alloc(MIB);
    try {
      for (let at = firstByte; at <= lastByte; at += MIB) {
        yield memory.subarray(0, this.body.copy(memory, 0, at, Math.min(lastByte + 1, at + MIB)));
        memory.fill(0xdb);
      }
    } finally {
      memory.fill(0xdb);
      this.isLeft = true;
    }
  }
}

async function start(body: Buffer) {
  const objects = new OneMemory(body);
  const auth = new InternalAuthenticator(secret);
  const server = new InternalHttpServer({ host: '127.0.0.1', port: 0, auth, health: new HealthState() });
  new ObjectDataHttpController(objects).mount(server);
  const address = `127.0.0.1:${await server.listen()}`;
  const connections = new DataPlaneConnections(new InternalAuthenticator(secret));
  opened.push(server, connections);
  const sizes = Array.from({ length: Math.ceil(body.length / CHUNK) }, (_, at) =>
    Math.min(CHUNK, body.length - at * CHUNK),
  );
  const chunks = sizes.map((sizeBytes) => {
    return { sizeBytes, primary: { chunkId: newId(), setId: 1, k: 1, m: 0, slots: [0] } };
  });
  const range = { chunks, firstByte: 0, lastByte: body.length - 1 };
  return { objects, range, remote: new RemoteObjectData(connections, { pickAddress: () => address }) };
}

describe('pieces that are lent to the door of the data service', () => {
  it('reach a caller that reads slowly as they were', async () => {
    const body = randomBytes(20 * MIB + 12_345);
    const { objects, range, remote } = await start(body);
    const received: Buffer[] = [];
    for await (const piece of remote.read(call(), range)) {
      received.push(Buffer.from(piece));
      if (received.length % 40 === 1) await wait(60);
    }
    expect(Buffer.concat(received).equals(body)).toBe(true);
    expect(objects.isLeft).toBe(true);
  });

  it('are given back when the caller leaves half-way', async () => {
    const { objects, range, remote } = await start(randomBytes(20 * MIB));
    for await (const piece of remote.read(call(), range)) if (piece.length > 0) break;
    for (let tries = 0; tries < 100 && !objects.isLeft; tries += 1) await wait(20);
    expect(objects.isLeft).toBe(true);
  });
});
