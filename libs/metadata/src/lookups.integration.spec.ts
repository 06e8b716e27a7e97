import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeChunkList } from '@holdfast/contracts';
import type { MetadataService } from './metadata.service.js';
import { aCall, commit, MetadataFixture } from './testing/metadata-fixture.js';

describe('lookups', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open();
  }, 60_000);
  afterAll(() => fixture?.stop());

  it('seed-3.14: gives the chunk ids of an object; an unknown key and an unknown bucket are different answers', async () => {
    const bucket = await fixture.bucket(service);
    const input = commit(bucket, 'k');
    await service.commitObject(aCall(), input);
    const found = await service.findObject(aCall(), { bucketName: bucket.name, key: 'k' });
    const ids = (packed: Buffer) => decodeChunkList(packed).map((chunk) => chunk.primary.chunkId);
    expect(ids(found.version?.chunks as Buffer)).toEqual(ids(input.written.chunks));
    expect(await service.findObject(aCall(), { bucketName: bucket.name, key: 'other' })).toEqual({ bucket });
    expect(await service.findObject(aCall(), { bucketName: 'other', key: 'k' })).toEqual({});
    expect(await service.findObject(aCall(), { bucketName: bucket.name, key: 'nul\0' })).toEqual({ bucket });
    expect(await service.findObject(aCall(), { bucketName: 'nul\0', key: 'k' })).toEqual({});
    expect(await service.findBucket(aCall(), { name: bucket.name })).toEqual({ bucket });
    expect(await service.findBucket(aCall(), { name: 'other' })).toEqual({});
  });

  it('each of many lookups that share a query gets its own answer, and a commit is seen by the lookup after it', async () => {
    const [one, two] = await Promise.all([fixture.bucket(service), fixture.bucket(service)]);
    const inputs = Array.from({ length: 300 }, (_, i) => commit(i % 2 === 0 ? one : two, `k${i}`));
    await Promise.all(inputs.map((input) => service.commitObject(aCall(), input)));
    const answers = await Promise.all(
      inputs.map((input, i) =>
        service.findObject(aCall(), { bucketName: (i % 2 === 0 ? one : two).name, key: input.key }),
      ),
    );
    expect(answers.map((answer) => answer.version?.versionId)).toEqual(inputs.map((input) => input.versionId));
    const crossed = await Promise.all(
      inputs.map((input, i) =>
        service.findObject(aCall(), { bucketName: (i % 2 === 0 ? two : one).name, key: input.key }),
      ),
    );
    expect(crossed.filter((answer) => answer.version !== undefined)).toEqual([]);
    for (let i = 0; i < 20; i++) {
      const input = commit(one, 'fresh');
      await service.commitObject(aCall(), input);
      const found = await service.findObject(aCall(), { bucketName: one.name, key: 'fresh' });
      expect(found.version?.versionId).toBe(input.versionId);
    }
  });

  it('the steps of the three flows are traced where they are done, and only for their flow', async () => {
    const bucketCall = aCall(20_000, 'bucket-creation');
    const { bucket } = await service.createBucket(bucketCall, { name: 'traced', accountId: 'a' });
    const steps = (requestId: string) => fixture.trace.find(requestId).map((event) => event.step);
    expect(steps(bucketCall.requestId)).toEqual([6, 7, 8]);
    const again = aCall(20_000, 'bucket-creation');
    await service.createBucket(again, { name: 'traced', accountId: 'a' });
    expect(steps(again.requestId)).toEqual([6, 8]);

    const putCall = aCall(20_000, 'object-creation');
    await service.findObject(putCall, { bucketName: 'traced', key: 'k' });
    expect(steps(putCall.requestId)).toEqual([]);
    await service.commitObject(putCall, commit(bucket, 'k'));
    expect(steps(putCall.requestId)).toEqual([9, 11, 12]);
    const refused = aCall(20_000, 'object-creation');
    await service.commitObject(refused, commit(bucket, 'k', { conditions: { ifNoneMatch: ['*'] } }));
    expect(steps(refused.requestId)).toEqual([9, 12]);

    const getCall = aCall(20_000, 'object-download');
    await service.findObject(getCall, { bucketName: 'traced', key: 'k' });
    expect(steps(getCall.requestId)).toEqual([6]);
    const silent = aCall();
    await service.commitObject(silent, commit(bucket, 'k'));
    expect(steps(silent.requestId)).toEqual([]);
  });
});
