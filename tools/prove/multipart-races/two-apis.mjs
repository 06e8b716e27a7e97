// Two APIs, each with a metadata service of its own, on one Postgres and one set of three device files, in this process.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TraceLog, backgroundCall, decodeChunkList } from '@holdfast/contracts';
import { createDataService } from '@holdfast/data';
import { closeDevices, LocalUnitStore, openDevices } from '@holdfast/data-node';
import { LocalIntentBus } from '@holdfast/events';
import { S3Listener } from '@holdfast/gateway';
import { startPostgres } from '@holdfast/local-services';
import { MetadataService, OutboxRelay } from '@holdfast/metadata';
import { configureLog } from '@holdfast/service-host';
import pg from 'pg';
import { clusterMapOf } from '../../../libs/testkit/dist/cluster-maps.js';
import { InMemoryIdentity } from '../../../libs/testkit/dist/in-memory-identity.js';

const apiCount = 2;
const deviceCount = 3;
const deviceBytes = 512 * 1024 * 1024;
/** Bytes that nobody names are freed and used again while the proof runs. An attempt that takes half of the grace is late. */
const graceMs = 8000;
const freeDelayMs = 200;

export class TwoApis {
  #cleanups = [];

  static async start(commands) {
    configureLog({ service: 'multipart-races', level: 'error' });
    const store = new TwoApis();
    try {
      await store.#start(commands);
      return store;
    } catch (error) {
      await store.stop();
      throw error;
    }
  }

  async #start(commands) {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-races-'));
    this.#cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const postgres = await startPostgres({ directory: join(directory, 'postgres') });
    this.#cleanups.push(() => postgres.stop());
    const clusterId = randomUUID();
    const deviceIds = Array.from({ length: deviceCount }, () => randomUUID());
    const devices = await openDevices({
      clusterId,
      devices: deviceIds.map((deviceId) => ({
        deviceId,
        path: join(directory, deviceId),
        generation: 1,
        createBytes: deviceBytes,
      })),
    });
    this.#cleanups.push(() => closeDevices(devices));
    const trace = new TraceLog('races');
    const { sets } = clusterMapOf({
      clusterId,
      sets: [{ nodes: 1, devicesPerNode: deviceCount }],
      deviceId: (_set, slot) => deviceIds[slot],
    });
    const services = [];
    for (let index = 0; index < apiCount; index += 1) {
      const settings = { graceMs, freeDelayMs, housekeepingMs: 500 };
      services.push(
        await MetadataService.open({
          databaseUrl: postgres.url,
          clusterMapSeed: { clusterId, sets },
          trace,
          settings,
        }),
      );
      this.#cleanups.push(() => services[index].close());
    }
    this.units = new LocalUnitStore({ devices, trace });
    this.places = sets.flatMap((set) =>
      set.nodes.flatMap(({ nodeId, address, controllers }) =>
        controllers.flatMap((one) => one.devices.map(({ deviceId }) => ({ deviceId, nodeId, address }))),
      ),
    );
    this.data = createDataService({
      units: this.units,
      metadata: services[0],
      trace,
      collector: { graceMs, intervalMs: 2000, unitsPerSecond: 1e6 },
    });
    this.data.start();
    this.#cleanups.push(() => this.data.stop());
    this.#startRelay(services[0]);
    this.database = new pg.Client({ connectionString: postgres.url });
    await this.database.connect();
    this.#cleanups.push(() => this.database.end());
    await this.#startApis(services, trace, commands);
  }

  #startRelay(metadata) {
    const bus = new LocalIntentBus(this.data.intents);
    const relay = new OutboxRelay(metadata, bus);
    relay.start();
    this.#cleanups.push(async () => {
      await relay.stop();
      bus.stop();
    });
  }

  async #startApis(services, trace, commands) {
    const identity = new InMemoryIdentity();
    const credentials = identity.addAccount('main');
    this.clients = [];
    for (const metadata of services) {
      const listener = new S3Listener({ identity, metadata, data: this.data.objects, trace });
      this.#cleanups.push(() => listener.close());
      const client = new commands.S3Client({
        endpoint: `http://127.0.0.1:${await listener.listen(0)}`,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials,
        maxAttempts: 1,
      });
      this.clients.push(client);
      this.#cleanups.push(() => client.destroy());
    }
  }

  /** Units on the devices. */
  async unitCount() {
    const call = backgroundCall(30_000);
    const statuses = await Promise.all(this.places.map((place) => this.units.status(call, place)));
    return statuses.reduce((sum, { unitCount }) => sum + unitCount, 0);
  }

  /** Units that versions and parts of open uploads name. */
  async namedUnitCount() {
    const { rows } = await this.database.query(
      `SELECT chunks FROM metadata.object_version WHERE length(chunks) > 1
        UNION ALL SELECT chunks FROM metadata.part WHERE length(chunks) > 1`,
    );
    const units = rows.flatMap(({ chunks }) => decodeChunkList(chunks)).map(({ primary }) => primary.k + primary.m);
    return units.reduce((sum, count) => sum + count, 0);
  }

  /** Rows that nothing owns, and bytes that are owed to the devices still. */
  async strayRows() {
    const { rows } = await this.database.query(
      `SELECT (SELECT count(*) FROM metadata.part p
          WHERE NOT EXISTS (SELECT FROM metadata.upload u WHERE u.bucket_id = p.bucket_id AND u.upload_id = p.owner_id)
            AND NOT EXISTS (
              SELECT FROM metadata.object_version v WHERE v.bucket_id = p.bucket_id AND v.version_id = p.owner_id))::int
          AS "partsWithoutOwner",
        (SELECT count(*) FROM metadata.outbox WHERE kind = 'free')::int AS "freesOwed"`,
    );
    return rows[0];
  }

  async stop() {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }
}
