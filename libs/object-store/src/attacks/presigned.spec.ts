import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { PlainRequest } from '@holdfast/testkit';
import { DOORS, Doors } from './testing/doors.js';

let doors: Doors;
beforeAll(async () => {
  doors = await Doors.open();
});
afterAll(() => doors.close());
beforeEach(() => doors.ports.forgetCalls());

const GET: PlainRequest = { method: 'GET', path: '/bucket/key' };
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describe.each(DOORS)('presigned URLs, by the %s', (door) => {
  const nobodyWasCalled = (): void => expect(doors.ports.backendCalls).toEqual([]);
  const use = (path: string, more: Partial<PlainRequest> = {}) => doors.send(door, { ...GET, path, ...more });

  it('XB1: one that has ended, and one that has not begun, are 403 AccessDenied', async () => {
    expect((await use(doors.presign(door, GET))).text).toBe('bucket');
    doors.ports.forgetCalls();
    const ended = await use(doors.presign(door, GET, doors.main, { atMs: Date.now() - 120_000 }));
    expect([ended.status, ended.code]).toEqual([403, 'AccessDenied']);
    const early = await use(doors.presign(door, GET, doors.main, { atMs: Date.now() + 16 * 60_000 }));
    expect([early.status, early.code]).toEqual([403, 'AccessDenied']);
    nobodyWasCalled();
  });

  it.each([
    ['0', 403, 'AccessDenied'],
    ['-1', 403, 'AccessDenied'],
    ['604801', 403, 'AccessDenied'],
    ['99999999999999999999', 403, 'AccessDenied'],
    ['soon', 400, 'AuthorizationQueryParametersError'],
    ['1e3', 400, 'AuthorizationQueryParametersError'],
    ['0x10', 400, 'AuthorizationQueryParametersError'],
    ['', 400, 'AuthorizationQueryParametersError'],
  ])('XB2: X-Amz-Expires of %p is %i %s', async (expires, status, code) => {
    const answer = await use(doors.presign(door, GET, doors.main, { expires }));
    expect([answer.status, answer.code]).toEqual([status, code]);
    nobodyWasCalled();
  });

  it.each<[string, (path: string) => string, Partial<PlainRequest>]>([
    ['another key', (path) => path.replace('/key', '/other'), {}],
    ['another bucket', (path) => path.replace('/bucket/', '/theirs/'), {}],
    ['another method', (path) => path, { method: 'DELETE' }],
    ['a version', (path) => `${path}&versionId=null`, {}],
    ['a part', (path) => `${path}&partNumber=1`, {}],
    ['a response header', (path) => `${path}&response-content-type=text%2Fhtml`, {}],
    ['a longer life', (path) => path.replace('X-Amz-Expires=60', 'X-Amz-Expires=600'), {}],
    [
      'fewer signed headers',
      (path) => path.replace('X-Amz-SignedHeaders=host', 'X-Amz-SignedHeaders=host%3Brange'),
      {},
    ],
  ])('XB3: %s is 403 SignatureDoesNotMatch', async (_what, change, more) => {
    const answer = await use(change(doors.presign(door, GET)), more);
    expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch']);
    nobodyWasCalled();
  });

  it.each(['x-amz-copy-source', 'x-amz-acl', 'x-amz-tagging', 'x-amz-meta-a'])(
    'XB4: a presigned PUT with an unsigned %s reads no source and stores nothing',
    async (name) => {
      const path = doors.presign(door, { method: 'PUT', path: '/bucket/from-a-link' });
      const answer = await use(path, { method: 'PUT', body: '', headers: { [name]: '/theirs/key' } });
      expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
      nobodyWasCalled();
    },
  );

  it.each(['X-Amz-Signature', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders'])(
    'XB5: a second %s is refused, whatever its spelling',
    async (name) => {
      const path = doors.presign(door, GET);
      for (const spelling of [name, name.toLowerCase()]) {
        const answer = await use(`${path}&${spelling}=${'0'.repeat(64)}`);
        expect([answer.status, answer.code]).toEqual([400, 'AuthorizationQueryParametersError']);
      }
      nobodyWasCalled();
    },
  );

  it('XB5: a payload hash that was not signed does not choose another verifier', async () => {
    const path = doors.presign(door, { method: 'PUT', path: '/bucket/verifier' });
    for (const hash of [EMPTY_SHA256, 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'UNSIGNED-PAYLOAD']) {
      const answer = await use(path, { method: 'PUT', body: 'x', headers: { 'x-amz-content-sha256': hash } });
      expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
    }
    nobodyWasCalled();
  });

  it('XB6: permission is asked when the URL is used, not when it was signed', async () => {
    const { accountId } = doors.main.account;
    const userName = `signer-${door === 'API'}`;
    const keys = doors.ports.memoryIdentity.addUser(accountId, userName, {
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: 'arn:aws:s3:::bucket/*',
    });
    const path = doors.presign(door, GET, keys);
    expect((await use(path)).text).toBe('bucket');
    doors.ports.memoryIdentity.takePolicy(accountId, userName);
    doors.ports.forgetCalls();
    const answer = await use(path);
    expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
    expect(doors.callsBeyondPolicies).toEqual([]);
  });
});
