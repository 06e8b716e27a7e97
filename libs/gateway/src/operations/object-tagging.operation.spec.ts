import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketTaggingCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

type Keys = { accessKeyId: string; secretAccessKey: string };
const ports = new InMemoryPorts();
const listener = new S3Listener(ports);
const root = ports.memoryIdentity.addAccount('main');
const { accountId } = root.account;
const Bucket = 'tagged';
const clients: S3Client[] = [];
let endpoint = '';
let client: S3Client;

beforeAll(async () => {
  endpoint = `http://127.0.0.1:${await listener.listen(0)}`;
  client = clientOf(root);
  await client.send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  for (const one of clients) one.destroy();
  await listener.close();
});
beforeEach(() => ports.forgetCalls());

function clientOf(credentials: Keys): S3Client {
  const made = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 });
  clients.push(made);
  return made;
}

/** A user of the account with these actions on everything. */
function userWith(name: string, ...Action: string[]): S3Client {
  return clientOf(ports.memoryIdentity.addUser(accountId, name, { Effect: 'Allow', Action, Resource: '*' }));
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error;
    return `${error.$metadata.httpStatusCode} ${error.name}`;
  }
}

const put = (Key: string, more: object = {}, on = client) =>
  on.send(new PutObjectCommand({ Bucket, Key, Body: 'x', ...more }));
const tagsOf = async (Key: string) =>
  (await client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet?.map((tag) => `${tag.Key}=${tag.Value}`);
const setTags = (Key: string, tags: readonly (readonly [Key: string, Value: string])[], on = client) => {
  const Tagging = { TagSet: tags.map(([key, Value]) => ({ Key: key, Value })) };
  return on.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging }));
};

describe('tags of objects', () => {
  it('come with a PUT and with an upload, are replaced, answered sorted by key, counted, and taken away', async () => {
    await put('k', { Tagging: 'foo=bar&bar' });
    expect(await tagsOf('k')).toEqual(['bar=', 'foo=bar']);
    for (const read of [new GetObjectCommand({ Bucket, Key: 'k' }), new HeadObjectCommand({ Bucket, Key: 'k' })]) {
      const { TagCount } = (await client.send(read as GetObjectCommand)) as { TagCount?: number };
      expect(TagCount).toBe(2);
    }
    await setTags('k', [['z', '1'], ['ä', '2'], ['a', '3']]); // prettier-ignore
    expect(await tagsOf('k')).toEqual(['a=3', 'z=1', 'ä=2']);
    await client.send(new DeleteObjectTaggingCommand({ Bucket, Key: 'k' }));
    expect(await tagsOf('k')).toEqual([]);
    expect(await client.send(new HeadObjectCommand({ Bucket, Key: 'k' }))).not.toHaveProperty('TagCount');

    const created = new CreateMultipartUploadCommand({ Bucket, Key: 'parts', Tagging: 'a=b' });
    const { UploadId } = await client.send(created);
    const part = new UploadPartCommand({ Bucket, Key: 'parts', UploadId, PartNumber: 1, Body: 'x' });
    const { ETag } = await client.send(part);
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await client.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'parts', UploadId, MultipartUpload }));
    expect(await tagsOf('parts')).toEqual(['a=b']);
    // A new version begins without the tags of the one before.
    await put('parts');
    expect(await tagsOf('parts')).toEqual([]);
  });

  it('a set that is refused leaves none behind, and nothing of its object', async () => {
    await put('refused');
    const many = Array.from({ length: 11 }, (_, i): [string, string] => [`k${i}`, 'v']);
    for (const tags of [many, [['k'.repeat(129), 'v']], [['k', 'v'.repeat(257)]], [['aws:k', 'v']]] as const) {
      expect(await codeOf(setTags('refused', tags as [string, string][]))).toBe('400 InvalidTag');
    }
    expect(await tagsOf('refused')).toEqual([]);
    ports.forgetCalls();
    const header = many.map((pair) => pair.join('=')).join('&');
    expect(await codeOf(put('never', { Tagging: header }))).toBe('400 InvalidTag');
    expect(await codeOf(put('never', { Tagging: 'a=%zz' }))).toBe('400 InvalidArgument');
    expect(ports.backendCalls).toEqual([]);
    expect(await codeOf(tagsOf('never'))).toBe('404 NoSuchKey');
  });

  it('need permissions of their own, also in a presigned URL, and for one version', async () => {
    await put('k', { Tagging: 'secret=1' });
    const writer = userWith('writer', 's3:PutObject', 's3:GetObject');
    await put('plain', {}, writer);
    expect(await codeOf(put('other', { Tagging: 'a=b' }, writer))).toBe('403 AccessDenied');
    const begin = new CreateMultipartUploadCommand({ Bucket, Key: 'other', Tagging: 'a=b' });
    expect(await codeOf(writer.send(begin))).toBe('403 AccessDenied');
    expect(await codeOf(setTags('k', [], writer))).toBe('403 AccessDenied');
    expect(await writer.send(new GetObjectCommand({ Bucket, Key: 'k' }))).not.toHaveProperty('TagCount');

    const command = new PutObjectCommand({ Bucket, Key: 'presigned', Tagging: 'a=b' });
    const statusOf = async (on: S3Client) => {
      const url = await getSignedUrl(on, command, { unhoistableHeaders: new Set() });
      expect(url).toContain('x-amz-tagging=');
      return (await fetch(url, { method: 'PUT', body: 'x' })).status;
    };
    expect(await statusOf(writer)).toBe(403);
    expect(await statusOf(client)).toBe(200);
    expect(await tagsOf('presigned')).toEqual(['a=b']);

    const tagger = userWith('tagger', 's3:PutObjectTagging', 's3:GetObjectTagging');
    await setTags('k', [['a', 'b']], tagger);
    const ofVersion = { Bucket, Key: 'k', VersionId: 'null' };
    expect(await codeOf(tagger.send(new GetObjectTaggingCommand(ofVersion)))).toBe('403 AccessDenied');
    const ofVersions = userWith('of-versions', 's3:GetObjectVersionTagging');
    expect((await ofVersions.send(new GetObjectTaggingCommand(ofVersion))).TagSet).toHaveLength(1);
    expect(await codeOf(ofVersions.send(new GetObjectTaggingCommand({ Bucket, Key: 'k' })))).toBe('403 AccessDenied');
    // Without the right to list nobody learns that a key is not there.
    expect(await codeOf(setTags('none', [], tagger))).toBe('403 AccessDenied');
    expect(await codeOf(setTags('none', []))).toBe('404 NoSuchKey');
  });
});

describe('tags of buckets', () => {
  it('are set, replaced and taken away; up to fifty', async () => {
    const read = new GetBucketTaggingCommand({ Bucket });
    const set = (tags: readonly (readonly [Key: string, Value: string])[]) => {
      const Tagging = { TagSet: tags.map(([Key, Value]) => ({ Key, Value })) };
      return client.send(new PutBucketTaggingCommand({ Bucket, Tagging }));
    };
    expect(await codeOf(client.send(read))).toBe('404 NoSuchTagSet');
    await set([['Hello', 'World']]);
    expect((await client.send(read)).TagSet).toEqual([{ Key: 'Hello', Value: 'World' }]);
    const many = Array.from({ length: 51 }, (_, i): [string, string] => [`k${i}`, 'v']);
    expect(await codeOf(set(many))).toBe('400 InvalidTag');
    expect((await client.send(read)).TagSet).toHaveLength(1);
    await set(many.slice(1));
    expect((await client.send(read)).TagSet).toHaveLength(50);
    await client.send(new DeleteBucketTaggingCommand({ Bucket }));
    expect(await codeOf(client.send(read))).toBe('404 NoSuchTagSet');
    await client.send(new DeleteBucketTaggingCommand({ Bucket }));
  });
});

describe('conditions tell nobody what it may not read', () => {
  it('If-Match with an ETag needs the right to read, `*` does not', async () => {
    const { ETag } = await put('matched');
    const blind = userWith('blind', 's3:PutObject', 's3:DeleteObject');
    expect(await codeOf(put('matched', { IfMatch: ETag }, blind))).toBe('403 AccessDenied');
    const remove = (IfMatch: string | undefined, on: S3Client) =>
      on.send(new DeleteObjectCommand({ Bucket, Key: 'matched', IfMatch }));
    expect(await codeOf(remove(ETag, blind))).toBe('403 AccessDenied');
    const Delete = { Objects: [{ Key: 'matched', ETag }] };
    const { Errors } = await blind.send(new DeleteObjectsCommand({ Bucket, Delete }));
    expect(Errors?.map(({ Code }) => Code)).toEqual(['AccessDenied']);
    const complete = (IfMatch: string | undefined) =>
      blind.send(
        new CompleteMultipartUploadCommand({
          ...{ Bucket, Key: 'matched', UploadId: '0'.repeat(32), IfMatch },
          MultipartUpload: { Parts: [{ PartNumber: 1, ETag: 'x' }] },
        }),
      );
    expect(await codeOf(complete(ETag))).toBe('403 AccessDenied');
    expect(await codeOf(complete('*'))).toBe('404 NoSuchUpload');
    await put('matched', { IfMatch: '*' }, blind);
    await remove('*', blind);
    expect(await codeOf(remove('*', blind))).toBe('412 PreconditionFailed');
  });

  it('a condition that cannot be read is refused, never dropped', async () => {
    await put('kept');
    const raw = async (name: string, value: string) => {
      const url = await getSignedUrl(client, new DeleteObjectCommand({ Bucket, Key: 'kept' }));
      const answer = await fetch(url, { method: 'DELETE', headers: { [name]: value } });
      return /<Code>(\w+)<\/Code>/.exec(await answer.text())?.[1];
    };
    expect(await raw('if-match', ' , ')).toBe('InvalidArgument');
    const bad = [{ IfMatchSize: 2 ** 60 }, { IfMatch: 'x,'.repeat(101) }];
    for (const more of bad) {
      const work = client.send(new DeleteObjectCommand({ Bucket, Key: 'kept', ...more }));
      expect(await codeOf(work)).toBe('400 InvalidArgument');
    }
    await client.send(new HeadObjectCommand({ Bucket, Key: 'kept' }));
  });
});

describe('PutBucketVersioning', () => {
  it('refuses what it cannot do, and changes nothing then', async () => {
    const set = (VersioningConfiguration: object) =>
      client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    expect(await codeOf(set({ Status: 'Enabled', MFADelete: 'Enabled' }))).toBe('501 NotImplemented');
    expect(await codeOf(set({ Status: 'On' }))).toBe('400 MalformedXML');
    expect(await codeOf(set({}))).toBe('400 IllegalVersioningConfigurationException');
    const { bucket } = await ports.memoryMetadata.findBucket({}, { name: Bucket });
    expect(bucket?.versioning).toBe('unversioned');
    const reader = userWith('reader', 's3:GetBucketVersioning');
    const work = reader.send(
      new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
    );
    expect(await codeOf(work)).toBe('403 AccessDenied');
  });
});
