import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeChunkList,
  newId,
  newRequestId,
  TraceLog,
  type BucketRecord,
  type CallContext,
  type CommitObject,
  type FlowName,
  type StorageSetEntry,
  type UnitLayout,
  type WrittenPart,
} from '@holdfast/contracts';
import { startPostgres, type LocalPostgres } from '@holdfast/local-services';
import { Deadline } from '@holdfast/stdx';
import pg from 'pg';
import type { MetadataOptions } from '../metadata-options.js';
import { MetadataService } from '../metadata.service.js';

/** A set of `devices` devices on one node, slots from 0. */
export function storageSet(setId: number, devices = 6): StorageSetEntry {
  const entries = Array.from({ length: devices }, (_, slot) => ({
    deviceId: `set-${setId}-device-${slot}`,
    slot,
    generation: 1,
    state: 'live' as const,
  }));
  const controllers = [{ controllerId: 'left', devices: entries }];
  return {
    setId,
    state: 'active',
    weight: 1,
    nodes: [{ nodeId: `node-${setId}`, address: '', state: 'live', controllers }],
  };
}

/** A real Postgres of this test file, and services on it. */
export class MetadataFixture {
  readonly trace = new TraceLog('metadata-test');
  private readonly services: MetadataService[] = [];
  private readonly clients: pg.Client[] = [];
  private bucketCount = 0;
  private databaseCount = 0;

  private constructor(
    readonly directory: string,
    public postgres: LocalPostgres,
  ) {}

  static async start(): Promise<MetadataFixture> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-metadata-'));
    return new MetadataFixture(directory, await startPostgres({ directory: join(directory, 'postgres') }));
  }

  /** After `postgres.stop()`: the same data on the same port. */
  async restartPostgres(): Promise<void> {
    this.postgres = await startPostgres({ directory: join(this.directory, 'postgres') });
  }

  async open(
    sets: readonly StorageSetEntry[] = [storageSet(1), storageSet(2)],
    settings: MetadataOptions['settings'] = {},
    databaseUrl = this.postgres.url,
  ): Promise<MetadataService> {
    const service = await MetadataService.open({
      databaseUrl,
      clusterMapSeed: { sets },
      trace: this.trace,
      settings: { housekeepingMs: 0, ...settings },
    });
    this.services.push(service);
    return service;
  }

  /** A session of an operator: ended by `stop`. */
  async session(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    client.on('error', () => undefined);
    await client.connect();
    this.clients.push(client);
    return client;
  }

  async query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  /** URL of an empty database beside the usual one. */
  async newDatabase(): Promise<string> {
    const name = `other_${++this.databaseCount}`;
    await this.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
    const url = new URL(this.postgres.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  async bucket(service: MetadataService, name = `bucket-${++this.bucketCount}`): Promise<BucketRecord> {
    return (await service.createBucket(aCall(), { name, accountId: 'account-1' })).bucket;
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end().catch(() => undefined)));
    await Promise.all(this.services.map((service) => service.close()));
    await this.postgres.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export function aCall(timeoutMs = 20_000, flow?: FlowName): CallContext {
  const call = { requestId: newRequestId(), deadline: Deadline.in(timeoutMs) };
  return flow === undefined ? call : { ...call, flow };
}

export function layout(setId = 1, k = 1, m = 1): UnitLayout {
  return { chunkId: newId(), setId, k, m, slots: Array.from({ length: k + m }, (_, slot) => slot) };
}

/** One chunk of `sizeBytes`, or none for 0. */
export function written(sizeBytes = 4096, change: Partial<WrittenPart> = {}): WrittenPart {
  const chunks = sizeBytes === 0 ? Buffer.alloc(0) : encodeChunkList([{ sizeBytes, primary: layout() }]);
  return { writeId: newId(), sizeBytes, chunks, epoch: 1n, degraded: false, ...change };
}

export const ATTRIBUTES = {
  headers: { 'content-type': 'text/plain' },
  userMetadata: { colour: 'blue' },
  storageClass: 'STANDARD',
  checksums: { crc32c: 'AAAAAA==' },
};

export function commit(bucket: BucketRecord, key: string, change: Partial<CommitObject> = {}): CommitObject {
  return {
    bucketId: bucket.bucketId,
    bucketRevision: bucket.revision,
    key,
    versionId: newId(),
    etag: newId(),
    attributes: ATTRIBUTES,
    conditions: {},
    written: written(),
    attemptAgeMs: 0,
    ...change,
  };
}
