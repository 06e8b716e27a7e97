/** A node asks for the bytes of a large unit when it has claimed space for them, and not before. Raw HTTP on one side. */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '@holdfast/stdx';
import { DataPlaneConnections } from '@holdfast/clients';
import { backgroundCall, newId, TraceLog, type UnitReceipt } from '@holdfast/contracts';
import { closeDevices, LocalUnitStore, openDevices, UnitHttpController } from '@holdfast/data-node';
import { configureLog, HealthState, InternalAuthenticator, InternalHttpServer } from '@holdfast/service-host';

configureLog({ service: 'test', level: 'error' });

const SIZE = 300_000;

/** Claims when it is let. */
class HeldUnitStore extends LocalUnitStore {
  admission: Promise<void> = Promise.resolve();
  override async write(...parts: Parameters<LocalUnitStore['write']>): Promise<UnitReceipt> {
    await this.admission;
    return super.write(...parts);
  }
}

describe('the admission of a unit', () => {
  const ends: (() => unknown)[] = [];
  const deviceId = randomUUID();
  let units: HeldUnitStore;
  let address: string;
  let connections: DataPlaneConnections;

  beforeEach(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-admission-'));
    const setting = { deviceId, path: join(folder, 'device'), generation: 1, createBytes: 64 * MIB };
    const devices = await openDevices({ clusterId: randomUUID(), devices: [setting] });
    units = new HeldUnitStore({ devices, trace: new TraceLog('data-node') });
    const auth = new InternalAuthenticator(randomBytes(32));
    const server = new InternalHttpServer({ host: '127.0.0.1', port: 0, auth, health: new HealthState() });
    new UnitHttpController(units).mount(server);
    address = `127.0.0.1:${await server.listen()}`;
    connections = new DataPlaneConnections(auth);
    ends.push(
      () => connections.close(),
      () => server.close(),
      () => closeDevices(devices),
      () => rm(folder, { recursive: true }),
    );
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  /** Announces a unit as a sender does that waits to be asked; nothing of it is sent. */
  function announce(change: Record<string, string | number> = {}, announcedBytes = SIZE, chunkId = newId()) {
    const shape = { k: 2, m: 1, chunk: 2 * SIZE, size: SIZE, bucket: 1, write: newId(), epoch: 1, ...change };
    const query = Object.entries(shape).map(([name, value]) => `${name}=${value}`);
    const path = `/units/${deviceId}/${chunkId}/${change['index'] ?? 0}?${query.join('&')}`;
    const headers = { 'content-length': announcedBytes, expect: '100-continue' };
    const request = connections.begin({ call: backgroundCall(20_000), address, method: 'PUT', path, headers }, true);
    const asked = once(request, 'continue').then(() => 'asked');
    const answered = once(request, 'response').then(([response]) => String((response as IncomingMessage).statusCode));
    for (const promise of [asked, answered]) promise.catch(() => undefined);
    request.flushHeaders();
    return { request, chunkId, first: Promise.race([asked, answered]), answered };
  }

  const end = (request: ClientRequest, bytes: Buffer): void => void request.end(bytes);

  it('seed-2.18: the sender is asked after the claim, and what it sends then is the unit', async () => {
    let admit: () => void = () => undefined;
    units.admission = new Promise((resolve) => (admit = resolve));
    const { request, chunkId, first, answered } = announce();
    let isAsked = false;
    void first.then(() => (isAsked = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isAsked).toBe(false);
    admit();
    expect(await first).toBe('asked');
    const bytes = randomBytes(SIZE);
    end(request, bytes);
    expect(await answered).toBe('200');
    const device = { deviceId, nodeId: '', address: '' };
    const found = await units.read(backgroundCall(20_000), device, { chunkId, unitIndex: 0 }, 0, SIZE);
    expect(found?.bytes.equals(bytes)).toBe(true);
  });

  it.each([
    ['names no unit of its chunk', { index: 7 }, SIZE, '400'],
    ['is larger than its chunk', { chunk: SIZE - 1 }, SIZE, '400'],
    ['has no data units', { k: 0 }, SIZE, '400'],
    ['has more units than any layout', { k: 30, m: 30 }, SIZE, '400'],
    ['belongs to a chunk that is too large', { chunk: 9 * MIB }, SIZE, '400'],
    ['has a size that is no number', { size: 'many' }, SIZE, '400'],
    ['announces fewer bytes than its size', {}, SIZE - 1, '400'],
    ['announces more bytes than its size', {}, SIZE + 1, '400'],
  ])('seed-2.18: a descriptor that %s is refused, and no byte is asked for', async (_what, change, bytes, status) => {
    const { request, first } = announce(change as Record<string, string | number>, bytes);
    expect(await first).toBe(status);
    request.destroy();
    const device = { deviceId, nodeId: '', address: '' };
    expect((await units.status(backgroundCall(20_000), device)).unitCount).toBe(0);
  });
});
