/** `GET /scrub` of the internal port, over a real device file and a real socket. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TraceLog } from '@holdfast/contracts';
import { Deadline, KIB } from '@holdfast/stdx';
import { HealthState, InternalAuthenticator, InternalHttpServer } from '@holdfast/service-host';
import { DeviceScrubber } from '../device-scrub.worker.js';
import { LocalUnitStore } from '../local-unit-store.js';
import { closeDevices, openDevices } from '../open-devices.js';
import { UnitHttpController } from './unit.http-controller.js';

const UNIT_BYTES = 100 * KIB;
const CHUNK_ID = 'ab'.repeat(16);

describe('GET /scrub', () => {
  const deviceId = randomUUID();
  const auth = new InternalAuthenticator(Buffer.alloc(32, 7));
  const cleanup: (() => Promise<unknown>)[] = [];
  let path: string;
  let url: string;

  const ask = async () => {
    const response = await fetch(url, {
      headers: auth.headers({ requestId: '0123456789ABCDEF', deadline: Deadline.in(5000) }, 'GET', '/scrub'),
    });
    return { status: response.status, states: (await response.json()) as Record<string, number>[] };
  };

  beforeEach(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'scrub-state-'));
    cleanup.push(() => rm(folder, { recursive: true }));
    path = join(folder, 'device');
    const devices = await openDevices({
      clusterId: randomUUID(),
      devices: [{ deviceId, path, generation: 1, createBytes: 32 * 1024 * KIB }],
    });
    cleanup.push(() => closeDevices(devices));
    const shape = { k: 1, m: 0, unitIndex: 0, chunkSizeBytes: UNIT_BYTES, unitSizeBytes: UNIT_BYTES };
    const header = { chunkId: CHUNK_ID, ...shape, bucketId: 1n, writeId: CHUNK_ID, writtenAtMs: 1 };
    const pull = async function* () {
      yield Buffer.alloc(UNIT_BYTES, 6);
    };
    await devices[0].store.write(header, UNIT_BYTES, pull, Deadline.in(30_000));
    await devices[0].store.checkpoint();
    const scrubber = new DeviceScrubber(devices, { restMs: 5 });
    const server = new InternalHttpServer({ host: '127.0.0.1', port: 0, auth, health: new HealthState() });
    new UnitHttpController(new LocalUnitStore({ devices, trace: new TraceLog('test') }), scrubber).mount(server);
    url = `http://127.0.0.1:${await server.listen()}/scrub`;
    cleanup.push(() => server.close());
    scrubber.start();
    cleanup.push(() => scrubber.stop());
  });
  afterEach(async () => {
    for (const step of cleanup.splice(0).reverse()) await step();
  });

  async function until(holds: (state: Record<string, number>) => boolean): Promise<Record<string, unknown>> {
    for (let tries = 0; tries < 1000; tries += 1) {
      const { status, states } = await ask();
      expect(status).toBe(200);
      expect(states).toHaveLength(1);
      if (holds(states[0])) return states[0];
      await sleep(5);
    }
    throw new Error('it did not come to that');
  }

  it('tells passes, units and bytes, and what was found damaged since', async () => {
    const sound = await until(({ passCount }) => passCount >= 1);
    expect(sound).toMatchObject({ deviceId, running: true, damagedUnitCount: 0, damagedPageCount: 0 });
    expect(sound['sizeBytes']).toBe((sound['unitCount'] as number) * UNIT_BYTES);
    const image = await readFile(path);
    const file = await open(path, 'r+');
    await file.write(Buffer.from('?'), 0, 1, image.indexOf(Buffer.alloc(UNIT_BYTES, 6)) + 70 * KIB);
    await file.close();
    await until(({ damagedUnitCount }) => damagedUnitCount >= 1);
  });

  it('is refused to who does not know the secret of the cluster', async () => {
    expect((await fetch(url)).status).toBe(401);
  });
});
