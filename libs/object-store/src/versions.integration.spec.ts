import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { metadataService, methodsOf, type CallContext, type Metadata, type MetadataMethods } from '@holdfast/contracts';
import { S3Listener } from '@holdfast/gateway';
import { startPostgres, type LocalPostgres } from '@holdfast/local-services';
import { MetadataService } from '@holdfast/metadata';
import { configureLog } from '@holdfast/service-host';
import { clusterMapOf, InMemoryPorts } from '@holdfast/testkit';

configureLog({ service: 'test', level: 'error' });
jest.setTimeout(120_000);

/** Two APIs, each with a metadata service of its own, on one Postgres; the second one reaches it over the control plane's JSON. */
const ports = new InMemoryPorts();
const root = ports.memoryIdentity.addAccount('main');
const services: MetadataService[] = [];
const listeners: S3Listener[] = [];
const clients: S3Client[] = [];
let directory: string;
let postgres: LocalPostgres;
let bucketCount = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-versions-'));
  postgres = await startPostgres({ directory: join(directory, 'postgres') });
  const map = clusterMapOf({ sets: [{ nodes: 3, devicesPerNode: 1 }] });
  for (let index = 0; index < 2; index += 1) {
    const metadata = await MetadataService.open({
      databaseUrl: postgres.url,
      clusterMapSeed: { sets: map.sets },
      trace: ports.trace,
      settings: { housekeepingMs: 0 },
    });
    services.push(metadata);
    const { identity, data, trace } = ports;
    const port = index === 0 ? metadata : overTheWire(metadata);
    const listener = new S3Listener({ identity, data, trace, metadata: port });
    listeners.push(listener);
    clients.push(
      new S3Client({
        endpoint: `http://127.0.0.1:${await listener.listen(0)}`,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: root,
        maxAttempts: 1,
      }),
    );
  }
}, 60_000);
afterAll(async () => {
  for (const client of clients) client.destroy();
  await Promise.all(listeners.map((listener) => listener.close()));
  await Promise.all(services.map((service) => service.close()));
  await postgres?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Every call and answer as the control plane carries them. */
function overTheWire(metadata: MetadataService): Metadata {
  const port: Record<string, unknown> = {};
  for (const [name, method] of methodsOf(metadataService)) {
    port[name] = async (call: CallContext, input: unknown) => {
      const sent = JSON.parse(JSON.stringify(method.input.encode(input, name))) as unknown;
      const act = metadata[name as keyof MetadataMethods].bind(metadata) as (
        call: CallContext,
        input: unknown,
      ) => Promise<unknown>;
      const answer = method.output.encode(await act(call, method.input.decode(sent, name)), name);
      return method.output.decode(JSON.parse(JSON.stringify(answer ?? null)) as unknown, name);
    };
  }
  return port as unknown as Metadata;
}

const api = (index: number): S3Client => clients[index % clients.length];

async function newBucket(...statuses: readonly ('Enabled' | 'Suspended')[]): Promise<string> {
  const Bucket = `bucket-${++bucketCount}`;
  await api(0).send(new CreateBucketCommand({ Bucket }));
  for (const status of statuses) await setVersioning(Bucket, status);
  return Bucket;
}

const setVersioning = (Bucket: string, Status: 'Enabled' | 'Suspended', on = 0) =>
  api(on).send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
const put = (Bucket: string, Key: string, Body: string, more: object = {}, on = 0) =>
  api(on).send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = async (Bucket: string, Key: string, VersionId?: string, on = 0) => {
  const answer = await api(on).send(new GetObjectCommand({ Bucket, Key, VersionId }));
  return { ...answer, text: await answer.Body?.transformToString() };
};
const remove = (Bucket: string, Key: string, more: object = {}, on = 0) =>
  api(on).send(new DeleteObjectCommand({ Bucket, Key, ...more }));
const versionsIn = async (Bucket: string, more: object = {}, on = 0) => {
  const list = await api(on).send(new ListObjectVersionsCommand({ Bucket, ...more }));
  const all = [...(list.Versions ?? []), ...(list.DeleteMarkers ?? []).map((marker) => ({ ...marker, marker: true }))];
  return { ...list, all };
};

/** Status, code and headers of what was refused. */
async function refusalOf(work: Promise<unknown>) {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error;
    const raw = (error.$response as { headers?: Record<string, string> } | undefined)?.headers ?? {};
    return { code: `${error.$metadata.httpStatusCode} ${error.name}`, headers: raw };
  }
  return { code: 'none', headers: {} };
}

describe('versions over S3, two APIs on one Postgres', () => {
  it('seed-3.13: a second PUT is a new version with new chunks; every version is read by its id, newest current', async () => {
    const Bucket = await newBucket();
    expect(await api(1).send(new GetBucketVersioningCommand({ Bucket }))).not.toHaveProperty('Status');
    expect((await put(Bucket, 'k', 'from before')).VersionId).toBeUndefined();
    await setVersioning(Bucket, 'Enabled');
    expect((await api(1).send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled');
    const chunksBefore = ports.memoryData.chunks.size;
    const first = await put(Bucket, 'k', 'first', {}, 1);
    const second = await put(Bucket, 'k', 'second');
    expect(ports.memoryData.chunks.size).toBe(chunksBefore + 2);
    for (const on of [0, 1]) {
      expect(await get(Bucket, 'k', undefined, on)).toMatchObject({ text: 'second', VersionId: second.VersionId });
      expect(await get(Bucket, 'k', first.VersionId, on)).toMatchObject({ text: 'first', VersionId: first.VersionId });
      expect(await get(Bucket, 'k', 'null', on)).toMatchObject({ text: 'from before', VersionId: 'null' });
    }
    const head = await api(1).send(new HeadObjectCommand({ Bucket, Key: 'k', VersionId: first.VersionId }));
    expect(head).toMatchObject({ ContentLength: 5, VersionId: first.VersionId, ETag: first.ETag });
    const { all } = await versionsIn(Bucket, {}, 1);
    expect(all.map(({ VersionId, IsLatest }) => [VersionId, IsLatest])).toEqual([
      [second.VersionId, true],
      [first.VersionId, false],
      ['null', false],
    ]);
  });

  it('seed-3.13: a multipart object is a version among the others', async () => {
    const Bucket = await newBucket('Enabled');
    const whole = await put(Bucket, 'k', 'whole');
    const { UploadId } = await api(1).send(new CreateMultipartUploadCommand({ Bucket, Key: 'k' }));
    const part = await api(0).send(
      new UploadPartCommand({ Bucket, Key: 'k', UploadId, PartNumber: 1, Body: 'in parts' }),
    );
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] };
    const complete = new CompleteMultipartUploadCommand({ Bucket, Key: 'k', UploadId, MultipartUpload });
    const made = await api(1).send(complete);
    expect(made.VersionId).toMatch(/^[0-9a-f]{32}$/);
    expect((await get(Bucket, 'k')).text).toBe('in parts');
    expect((await get(Bucket, 'k', whole.VersionId)).text).toBe('whole');
    await remove(Bucket, 'k', { VersionId: made.VersionId });
    expect((await get(Bucket, 'k')).text).toBe('whole');
  });

  it('a delete lays a marker: 404 and 405 say so, HEAD like GET; removing it brings the version back', async () => {
    const Bucket = await newBucket('Enabled');
    const kept = await put(Bucket, 'k', 'kept');
    const deleted = await remove(Bucket, 'k', {}, 1);
    expect(deleted).toMatchObject({ DeleteMarker: true });
    const VersionId = deleted.VersionId as string;
    const shown = { 'x-amz-delete-marker': 'true', 'x-amz-version-id': VersionId };
    const named = { Bucket, Key: 'k', VersionId };
    expect(await refusalOf(get(Bucket, 'k'))).toMatchObject({ code: '404 NoSuchKey', headers: shown });
    expect(await refusalOf(api(1).send(new HeadObjectCommand({ Bucket, Key: 'k' })))).toMatchObject({
      code: '404 NotFound',
      headers: shown,
    });
    for (const work of [get(Bucket, 'k', VersionId), api(1).send(new HeadObjectCommand(named))]) {
      const { code, headers } = await refusalOf(work);
      expect(code).toMatch(/^405 /);
      expect(headers).toMatchObject({ ...shown, allow: 'DELETE' });
      expect(headers).toHaveProperty('last-modified');
    }
    expect(await api(0).send(new ListObjectsV2Command({ Bucket }))).toMatchObject({ KeyCount: 0 });
    expect((await versionsIn(Bucket)).all).toMatchObject([
      { VersionId: kept.VersionId, IsLatest: false },
      { VersionId, IsLatest: true, marker: true },
    ]);
    expect(await remove(Bucket, 'k', { VersionId })).toMatchObject({ DeleteMarker: true, VersionId });
    expect((await get(Bucket, 'k', undefined, 1)).text).toBe('kept');
    // A key that never was gets a marker too, and its removal is no error twice.
    const never = await remove(Bucket, 'never');
    expect(never.DeleteMarker).toBe(true);
    await remove(Bucket, 'never', { VersionId: never.VersionId });
    expect(await remove(Bucket, 'never', { VersionId: never.VersionId })).not.toHaveProperty('DeleteMarker');
  });

  it('an id that nobody made is InvalidArgument, one that is not there NoSuchVersion, on every read', async () => {
    const Bucket = await newBucket('Enabled');
    const { VersionId } = await put(Bucket, 'k', 'x');
    const reads = (Key: string, id: string) => [
      get(Bucket, Key, id),
      api(0).send(new GetObjectTaggingCommand({ Bucket, Key, VersionId: id })),
    ];
    for (const id of ['nonsense', '../k', `${VersionId}00`, VersionId?.toUpperCase().replace(/\d/g, 'A') ?? '']) {
      for (const work of reads('k', id)) expect((await refusalOf(work)).code).toBe('400 InvalidArgument');
    }
    for (const id of ['null', '0'.repeat(32)]) {
      for (const work of reads('k', id)) expect((await refusalOf(work)).code).toBe('404 NoSuchVersion');
    }
    for (const work of reads('other', VersionId as string)) {
      expect((await refusalOf(work)).code).toBe('404 NoSuchVersion');
    }
    expect((await refusalOf(remove(Bucket, 'k', { VersionId: 'nonsense' }))).code).toBe('400 InvalidArgument');
    await remove(Bucket, 'k', { VersionId: '0'.repeat(32) });
    expect((await get(Bucket, 'k')).text).toBe('x');
  });

  it('suspended: a write replaces the null version alone and shows no id; a delete lays a null marker', async () => {
    const Bucket = await newBucket('Enabled');
    const kept = await put(Bucket, 'k', 'kept');
    await setVersioning(Bucket, 'Suspended', 1);
    for (const text of ['one', 'two']) expect(await put(Bucket, 'k', text)).not.toHaveProperty('VersionId');
    expect(await get(Bucket, 'k')).toMatchObject({ text: 'two', VersionId: 'null' });
    expect((await versionsIn(Bucket)).all.map(({ VersionId }) => VersionId)).toEqual(['null', kept.VersionId]);
    for (let twice = 0; twice < 2; twice += 1) {
      expect(await remove(Bucket, 'k')).toMatchObject({ DeleteMarker: true, VersionId: 'null' });
    }
    expect((await versionsIn(Bucket)).all).toMatchObject([
      { VersionId: kept.VersionId, IsLatest: false },
      { VersionId: 'null', IsLatest: true, marker: true },
    ]);
    expect((await refusalOf(get(Bucket, 'k', 'null'))).code).toBe('405 MethodNotAllowed');
    expect(await remove(Bucket, 'k', { VersionId: 'null' })).toMatchObject({ DeleteMarker: true, VersionId: 'null' });
    expect((await get(Bucket, 'k')).text).toBe('kept');
  });

  it('DeleteObjects makes and removes markers, and names them; five at once all list every version as deleted', async () => {
    const Bucket = await newBucket('Enabled');
    const made = await Promise.all(Array.from({ length: 20 }, (_, i) => put(Bucket, `k${i % 10}`, `${i}`, {}, i)));
    const Objects = made.map(({ VersionId }, i) => ({ Key: `k${i % 10}`, VersionId }));
    const marked = await api(0).send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'k0' }, { Key: 'fresh' }] } }),
    );
    expect(marked.Deleted).toHaveLength(2);
    const markers = (marked.Deleted ?? []).map(({ Key, DeleteMarker, DeleteMarkerVersionId }) => {
      expect(DeleteMarker).toBe(true);
      return { Key: Key as string, VersionId: DeleteMarkerVersionId as string };
    });
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        api(i).send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [...Objects, ...markers] } })),
      ),
    );
    for (const { Deleted, Errors } of answers) {
      expect(Errors ?? []).toEqual([]);
      expect(Deleted).toHaveLength(22);
    }
    const removedMarkers = answers.flatMap(({ Deleted }) => (Deleted ?? []).filter((entry) => entry.DeleteMarker));
    expect(removedMarkers.map((entry) => entry.DeleteMarkerVersionId).sort()).toEqual(
      markers.map(({ VersionId }) => VersionId).sort(),
    );
    expect((await versionsIn(Bucket)).all).toEqual([]);
    await api(0).send(new DeleteBucketCommand({ Bucket }));
  });

  it('ListObjectVersions in pages, with delimiter, encoding and markers; an unversioned bucket lists null versions', async () => {
    const Bucket = await newBucket();
    for (const key of ['a', 'a b/1', 'a b/2', 'ü']) await put(Bucket, key, key);
    const whole = await versionsIn(Bucket);
    expect(whole).toMatchObject({ IsTruncated: false, MaxKeys: 1000, KeyMarker: '', Name: Bucket });
    expect(whole.all.map(({ Key, VersionId, IsLatest }) => [Key, VersionId, IsLatest])).toEqual(
      ['a', 'a b/1', 'a b/2', 'ü'].map((key) => [key, 'null', true]),
    );
    expect(whole.Versions?.[0]).toMatchObject({ Size: 1, StorageClass: 'STANDARD' });
    expect(whole.Versions?.[0].Owner?.ID).toBe(root.account.canonicalId);
    const top = await versionsIn(Bucket, { Delimiter: '/', EncodingType: 'url' });
    expect(top.CommonPrefixes).toEqual([{ Prefix: 'a%20b/' }]);
    expect(top.Versions?.map(({ Key }) => Key)).toEqual(['a', '%C3%BC']);

    await setVersioning(Bucket, 'Enabled', 1);
    for (let i = 0; i < 5; i += 1) await put(Bucket, 'a', `${i}`, {}, i);
    const expected = (await versionsIn(Bucket)).all.map(({ Key, VersionId }) => `${Key}@${VersionId}`);
    expect(expected).toHaveLength(9);
    for (const MaxKeys of [1, 2, 4]) {
      const names: string[] = [];
      let markers: { KeyMarker?: string; VersionIdMarker?: string } = {};
      for (let page = 0, more = true; more; page += 1) {
        const list = await versionsIn(Bucket, { MaxKeys, ...markers }, page);
        names.push(...list.all.map(({ Key, VersionId }) => `${Key}@${VersionId}`));
        expect(list.NextKeyMarker === undefined).toBe(!list.IsTruncated);
        markers = { KeyMarker: list.NextKeyMarker, VersionIdMarker: list.NextVersionIdMarker };
        more = list.IsTruncated === true;
      }
      expect(names).toEqual(expected);
    }
    expect((await versionsIn(Bucket, { KeyMarker: 'a' })).all.map(({ Key }) => Key)).toEqual(['a b/1', 'a b/2', 'ü']);
    expect(await versionsIn(Bucket, { MaxKeys: 0 })).toMatchObject({ IsTruncated: false, all: [] });
    expect((await refusalOf(versionsIn(Bucket, { VersionIdMarker: 'null' }))).code).toBe('400 InvalidArgument');
    const malformed = versionsIn(Bucket, { KeyMarker: 'a', VersionIdMarker: 'nonsense' });
    expect((await refusalOf(malformed)).code).toBe('400 InvalidArgument');
  });

  it('conditions in a versioned bucket judge the current version; under a delete marker the key is absent', async () => {
    const Bucket = await newBucket('Enabled');
    const { ETag, VersionId } = await put(Bucket, 'k', 'x', { IfNoneMatch: '*' });
    expect((await refusalOf(put(Bucket, 'k', 'y', { IfNoneMatch: '*' }))).code).toBe('412 PreconditionFailed');
    await put(Bucket, 'k', 'y', { IfMatch: ETag });
    expect((await refusalOf(put(Bucket, 'k', 'z', { IfMatch: ETag }, 1))).code).toBe('412 PreconditionFailed');
    expect((await refusalOf(remove(Bucket, 'k', { IfMatch: ETag }))).code).toBe('412 PreconditionFailed');
    expect((await refusalOf(remove(Bucket, 'k', { IfMatchSize: 2 }))).code).toBe('412 PreconditionFailed');
    const { LastModified } = await get(Bucket, 'k');
    const early = new Date((LastModified?.getTime() ?? 0) - 1000);
    expect((await refusalOf(remove(Bucket, 'k', { IfMatchLastModifiedTime: early }))).code).toBe(
      '412 PreconditionFailed',
    );
    const conditions = { IfMatch: '*', IfMatchSize: 1, IfMatchLastModifiedTime: LastModified };
    expect(await remove(Bucket, 'k', conditions, 1)).toMatchObject({ DeleteMarker: true });
    for (const IfMatch of ['*', ETag]) {
      expect((await refusalOf(put(Bucket, 'k', 'z', { IfMatch }))).code).toBe('404 NoSuchKey');
      expect((await refusalOf(remove(Bucket, 'k', { IfMatch }))).code).toBe('412 PreconditionFailed');
    }
    const entries = [
      { Key: 'k', ETag },
      { Key: 'k', VersionId, ETag: '"other"' },
      { Key: 'k', VersionId, Size: 2 },
      { Key: 'k', VersionId, LastModifiedTime: new Date(0) },
      { Key: 'k', VersionId, ETag, Size: 1 },
    ];
    const { Deleted, Errors } = await api(0).send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: entries } }));
    expect(Errors?.map(({ Code }) => Code)).toEqual(Array(4).fill('PreconditionFailed'));
    expect(Deleted).toEqual([{ Key: 'k', VersionId }]);
    await put(Bucket, 'k', 'again', { IfNoneMatch: '*' });
    expect((await get(Bucket, 'k', undefined, 1)).text).toBe('again');
  });

  it('tags belong to a version, and are changed without touching it', async () => {
    const Bucket = await newBucket('Enabled');
    const first = await put(Bucket, 'k', 'first', { Tagging: 'foo=bar&bar' });
    const second = await put(Bucket, 'k', 'second');
    const tagsOf = async (VersionId?: string) => {
      const answer = await api(1).send(new GetObjectTaggingCommand({ Bucket, Key: 'k', VersionId }));
      return { id: answer.VersionId, tags: answer.TagSet?.map(({ Key, Value }) => `${Key}=${Value}`) };
    };
    expect(await tagsOf(first.VersionId)).toEqual({ id: first.VersionId, tags: ['bar=', 'foo=bar'] });
    expect(await tagsOf()).toEqual({ id: second.VersionId, tags: [] });
    const Tagging = { TagSet: [{ Key: 'z', Value: 'é 1' }] };
    const set = new PutObjectTaggingCommand({ Bucket, Key: 'k', VersionId: first.VersionId, Tagging });
    expect((await api(0).send(set)).VersionId).toBe(first.VersionId);
    expect((await tagsOf(first.VersionId)).tags).toEqual(['z=é 1']);
    const read = await get(Bucket, 'k', first.VersionId);
    expect(read).toMatchObject({ text: 'first', ETag: first.ETag, TagCount: 1 });
    expect(await get(Bucket, 'k')).not.toHaveProperty('TagCount');
    const marker = await remove(Bucket, 'k');
    const onMarker = new PutObjectTaggingCommand({ Bucket, Key: 'k', VersionId: marker.VersionId, Tagging });
    expect((await refusalOf(api(0).send(onMarker))).code).toBe('405 MethodNotAllowed');
  });

  it('seed-3.13: one API enables versioning while the other writes: no null version is overwritten after the answer', async () => {
    for (let round = 0; round < 12; round += 1) {
      const Bucket = await newBucket();
      // The other API has a record of the unversioned bucket in its memory.
      await put(Bucket, 'k', 'before', {}, 1);
      const writes: { text: string; beganMs: number; versionId?: string }[] = [];
      let answeredMs = Infinity;
      let nullAtAnswer: string | undefined;
      const writer = async (name: number) => {
        const untilMs = performance.now() + 5000;
        for (let i = 0, after = 0; after < 3 && performance.now() < untilMs; i += 1) {
          const text = `${name}/${i}`;
          const beganMs = performance.now();
          if (beganMs > answeredMs) after += 1;
          const { VersionId } = await put(Bucket, 'k', text, {}, 1);
          writes.push({ text, beganMs, ...(VersionId === undefined ? {} : { versionId: VersionId }) });
        }
      };
      const enabler = async () => {
        await new Promise((resolve) => setTimeout(resolve, 20 + round * 5));
        await setVersioning(Bucket, 'Enabled');
        answeredMs = performance.now();
        nullAtAnswer = (await get(Bucket, 'k', 'null')).text;
      };
      await Promise.all([enabler(), ...[0, 1, 2, 3].map(writer)]);

      const begunAfter = writes.filter(({ beganMs }) => beganMs > answeredMs);
      expect(begunAfter.length).toBeGreaterThan(0);
      for (const write of begunAfter) expect(write).toHaveProperty('versionId');
      expect((await get(Bucket, 'k', 'null', 1)).text).toBe(nullAtAnswer);
      for (const { text, versionId } of writes) {
        if (versionId !== undefined) expect((await get(Bucket, 'k', versionId)).text).toBe(text);
      }
      const { all } = await versionsIn(Bucket);
      expect(all).toHaveLength(writes.filter(({ versionId }) => versionId !== undefined).length + 1);
      expect(all.filter(({ VersionId }) => VersionId === 'null')).toHaveLength(1);
    }
  });

  it('seed-3.13: a delete on an API that has not heard of versioning lays a marker, and takes nothing away', async () => {
    const Bucket = await newBucket();
    await put(Bucket, 'k', 'kept', {}, 1);
    await put(Bucket, 'many', 'kept too', {}, 1);
    await setVersioning(Bucket, 'Enabled', 0);
    expect(await remove(Bucket, 'k', {}, 1)).toMatchObject({ DeleteMarker: true });
    await put(Bucket, 'other', 'x', {}, 0);
    await setVersioning(Bucket, 'Suspended', 0);
    await setVersioning(Bucket, 'Enabled', 0);
    const Delete = { Objects: [{ Key: 'many' }] };
    const { Deleted } = await api(1).send(new DeleteObjectsCommand({ Bucket, Delete }));
    expect(Deleted).toMatchObject([{ Key: 'many', DeleteMarker: true }]);
    expect((await get(Bucket, 'k', 'null')).text).toBe('kept');
    expect((await get(Bucket, 'many', 'null')).text).toBe('kept too');
  });
});
