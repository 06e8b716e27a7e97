import { createHash, randomBytes } from 'node:crypto';
import { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { HoldfastError, SEED_FLOWS, type CommitAnswer, type FlowName, type WriteTarget } from '@holdfast/contracts';
import { InMemoryPorts, RawConnection } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

const MIB = 1024 * 1024;
const ports = new InMemoryPorts();
const listener = new S3Listener(ports);
const { accessKeyId, account } = ports.memoryIdentity.addAccount('main');
const authorization = `Bearer ${ports.memoryIdentity.tokenOf(accessKeyId)}`;
let port = 0;

beforeAll(async () => {
  port = await listener.listen(0);
  expect((await send('PUT', '/bucket')).status).toBe(200);
});
afterAll(() => listener.close());
beforeEach(() => {
  ports.forgetCalls();
  jest.restoreAllMocks();
});

async function send(method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { authorization, ...headers },
    body: typeof body === 'string' || body === undefined ? body : new Uint8Array(body),
  });
  const text = await answer.text();
  return { status: answer.status, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '', text, headers: answer.headers };
}

const md5 = (body: string | Buffer): string => createHash('md5').update(body).digest('base64');
const large = randomBytes(MIB);

describe('seed-1.1: what the headers say is read first, and held against the body', () => {
  it.each([
    ['a Content-MD5 that is none', { 'content-md5': 'nonsense' }, 'InvalidDigest'],
    ['an unknown storage class', { 'x-amz-storage-class': 'FROZEN' }, 'InvalidStorageClass'],
    ['metadata over 2 KiB', { 'x-amz-meta-long': 'x'.repeat(2049) }, 'MetadataTooLarge'],
    ['a checksum that is none', { 'x-amz-checksum-crc32': '!' }, 'BadDigest'],
    ['two checksums', { 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-crc32c': 'AAAAAA==' }, 'InvalidRequest'],
    ['an ACL that does not exist', { 'x-amz-acl': 'nobody' }, 'InvalidArgument'],
  ])('%s is refused before any service but IAM was called', async (_name, headers, code) => {
    expect(await send('PUT', '/bucket/refused', 'hello', headers)).toMatchObject({ status: 400, code });
    expect(ports.backendCalls).toEqual([]);
  });

  it.each([
    ['x-amz-server-side-encryption', 'AES256'],
    ['x-amz-server-side-encryption-customer-algorithm', 'AES256'],
    ['x-amz-object-lock-mode', 'GOVERNANCE'],
    ['x-amz-if-match-size', '5'],
    ['x-amz-grant-read', 'id="x"'],
    ['x-amz-acl', 'public-read'],
    ['x-amz-website-redirect-location', '/elsewhere'],
  ])('%s is not silently ignored', async (name, value) => {
    const answer = await send('PUT', '/bucket/refused', 'hello', { [name]: value });
    expect(answer).toMatchObject({ status: 501, code: 'NotImplemented' });
    expect(answer.text).toContain(`<Header>${name}</Header>`);
    expect(ports.backendCalls).toEqual([]);
  });

  const wrong: readonly (readonly [string, Record<string, string>, string])[] = [
    ['Content-MD5', { 'content-md5': md5('other') }, 'BadDigest'],
    [
      'SHA-256',
      { 'x-amz-content-sha256': createHash('sha256').update('other').digest('hex') },
      'XAmzContentSHA256Mismatch',
    ],
    ['CRC32', { 'x-amz-checksum-crc32': 'AAAAAA==' }, 'BadDigest'],
    ['CRC32C', { 'x-amz-checksum-crc32c': 'AAAAAA==' }, 'BadDigest'],
    ['CRC64NVME', { 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=' }, 'BadDigest'],
    ['SHA1', { 'x-amz-checksum-sha1': createHash('sha1').digest('base64') }, 'BadDigest'],
    ['SHA256', { 'x-amz-checksum-sha256': createHash('sha256').digest('base64') }, 'BadDigest'],
  ];
  it.each(wrong)('a wrong %s stores nothing, of a small body or a large one', async (_name, headers, code) => {
    for (const body of ['hello', large]) {
      expect(await send('PUT', '/bucket/mismatch', body, headers)).toMatchObject({ status: 400, code });
    }
    expect(ports.backendCalls).not.toContain('metadata.commitObject');
    expect((await send('GET', '/bucket/mismatch')).code).toBe('NoSuchKey');
  });

  it('a small body is verified before the data service gets a byte of it', async () => {
    const before = ports.memoryData.chunks.size;
    await send('PUT', '/bucket/mismatch', 'hello', { 'content-md5': md5('other') });
    expect(ports.memoryData.chunks.size).toBe(before);
  });

  it('right digests are accepted and the checksum is kept', async () => {
    const sha256 = createHash('sha256').update(large).digest();
    const answer = await send('PUT', '/bucket/right', large, {
      'content-md5': md5(large),
      'x-amz-content-sha256': sha256.toString('hex'),
      'x-amz-checksum-sha256': sha256.toString('base64'),
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-amz-checksum-sha256')).toBe(sha256.toString('base64'));
    const head = await send('HEAD', '/bucket/right', undefined, { 'x-amz-checksum-mode': 'ENABLED' });
    expect(head.headers.get('x-amz-checksum-sha256')).toBe(sha256.toString('base64'));
  });
});

describe('a body that is longer than its length', () => {
  it.each([
    ['is judged as what was declared: the digest of the whole is wrong', md5('hello world'), '400', 'BadDigest'],
    ['is stored as what was declared', md5('hello'), '200', ''],
  ])('%s', async (_name, digest, status, code) => {
    const path = `/bucket/longer-${status}`;
    const connection = await RawConnection.open(port);
    const head = `PUT ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-MD5: ${digest}`;
    connection.send(`${head}\r\nContent-Length: 5\r\n\r\nhello world`);
    expect(await connection.closed()).toBe(true);
    const answers = connection.pending.split('HTTP/1.1 ').slice(1);
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual([status]);
    expect(/<Code>(\w+)/.exec(connection.pending)?.[1] ?? '').toBe(code);
    expect((await send('GET', path)).text).toEqual(status === '200' ? 'hello' : expect.stringContaining('NoSuchKey'));
  });
});

describe('aws-chunked', () => {
  const framed = (declared: number, text: string, trailer = 'x-amz-checksum-crc32:NhCmhg==') => ({
    body: text,
    headers: {
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': String(declared),
      'x-amz-trailer': trailer.split(':')[0],
      'content-encoding': 'gzip, aws-chunked',
    },
  });
  const put = ({ body, headers }: ReturnType<typeof framed>) => send('PUT', '/bucket/framed', body, headers);

  it('decodes, verifies the trailer and keeps the other encodings', async () => {
    const answer = await put(framed(5, '2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n'));
    expect(answer.status).toBe(200);
    const head = await send('HEAD', '/bucket/framed');
    expect(head.headers.get('content-encoding')).toBe('gzip');
    expect(head.headers.get('content-length')).toBe('5');
  });

  it.each([
    ['no last chunk', framed(5, '5\r\nhello\r\n'), 'IncompleteBody'],
    [
      'fewer bytes than declared',
      framed(6, '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n'),
      'IncompleteBody',
    ],
    ['a wrong trailer', framed(5, '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n'), 'BadDigest'],
    ['a missing trailer', framed(5, '5\r\nhello\r\n0\r\n\r\n'), undefined],
    ['more bytes than declared', framed(4, '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n'), undefined],
    ['no frames at all', framed(5, 'hello'), undefined],
  ])('%s: 400, nothing is stored', async (_name, request, code) => {
    await send('DELETE', '/bucket/framed');
    const answer = await put(request);
    expect(answer.status).toBe(400);
    if (code !== undefined) expect(answer.code).toBe(code);
    expect((await send('GET', '/bucket/framed')).code).toBe('NoSuchKey');
  });

  it('needs the decoded length', async () => {
    const { body, headers } = framed(5, '0\r\n\r\n');
    const { 'x-amz-decoded-content-length': _length, ...rest } = headers;
    expect(await send('PUT', '/bucket/framed', body, rest)).toMatchObject({
      status: 411,
      code: 'MissingContentLength',
    });
  });
});

describe('seed-3.7: the bytes are durable before metadata knows the object', () => {
  it('calls IAM, then data, then metadata, and no storage node', async () => {
    await send('PUT', '/bucket/order', 'first');
    ports.forgetCalls();
    await send('PUT', '/bucket/order', 'hello');
    expect(ports.calls.map(({ port: name, name: call }) => `${name}.${call}`)).toEqual([
      'identity.authorize',
      'data.write',
      'metadata.commitObject',
    ]);
  });

  it('waits for the data service before it commits', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const write = ports.memoryData.write.bind(ports.memoryData);
    jest.spyOn(ports.memoryData, 'write').mockImplementation(async (...args) => {
      const written = await write(...args);
      await gate;
      return written;
    });
    const answer = send('PUT', '/bucket/gated', 'hello');
    await wait(50);
    expect(ports.backendCalls).toContain('data.write');
    expect(ports.backendCalls).not.toContain('metadata.commitObject');
    release();
    expect((await answer).status).toBe(200);
    expect(ports.backendCalls).toContain('metadata.commitObject');
  });

  it.each<[FlowName, string, string, string | undefined]>([
    ['bucket-creation', 'PUT', '/traced', undefined],
    ['object-creation', 'PUT', '/traced/key', 'hello'],
    ['object-download', 'GET', '/traced/key', undefined],
  ])('emits the steps of the API service and of the edge in order: %s', async (flow, method, path, body) => {
    const { headers } = await send(method, path, body);
    const expected = SEED_FLOWS[flow]
      .filter(({ component }) => ['api', 'load-balancer'].includes(component))
      .map(({ step }) => step);
    const requestId = headers.get('x-amz-request-id') ?? '';
    await wait(5);
    expect(ports.trace.find(requestId).map(({ step }) => step)).toEqual(expected);
  });

  it.each([
    ['200', 'PUT', '/bucket/answered', 13],
    ['400', 'PUT', '/bucket/refused', 13],
    ['200', 'GET', '/bucket/answered', 14],
    ['404', 'GET', '/bucket/missing', 14],
  ])('the answer is a step with its status before it leaves: %s of %s %s', async (status, method, path, step) => {
    const happened: string[] = [];
    const record = ports.trace.step.bind(ports.trace);
    jest.spyOn(ports.trace, 'step').mockImplementation((call, number, detail) => {
      happened.push(`${number} ${detail}`);
      record(call, number, detail);
    });
    const end = ServerResponse.prototype.end;
    jest.spyOn(ServerResponse.prototype, 'end').mockImplementation(function (this: ServerResponse, ...args: unknown[]) {
      happened.push('sent');
      return Reflect.apply(end, this, args) as ServerResponse;
    });
    const headers: Record<string, string> = status === '400' ? { 'content-md5': md5('other') } : {};
    await send(method, path, method === 'PUT' ? 'hello' : undefined, headers);
    await wait(5);
    expect(happened.slice(-3)).toEqual([`${step} ${status}`, 'sent', `${step + 1} ${status}`]);
  });

  it('stores no object when data refuses, and shows no inner error', async () => {
    jest.spyOn(ports.memoryData, 'write').mockRejectedValue(new HoldfastError('MarginLost', 'device 7 of node 3'));
    const answer = await send('PUT', '/bucket/unstored', 'hello');
    expect(answer).toMatchObject({ status: 503, code: 'ServiceUnavailable' });
    expect(answer.text).not.toContain('device 7');
    expect(ports.backendCalls).not.toContain('metadata.commitObject');
  });

  it('does not commit what an adapter wrote of a body that was refused', async () => {
    const empty = await ports.memoryData.write({} as never, {} as WriteTarget, (async function* () {})());
    jest.spyOn(ports.memoryData, 'write').mockImplementation(async (_call, _target, body) => {
      const iterator = body[Symbol.asyncIterator]();
      await iterator.next().catch(() => undefined);
      return empty;
    });
    expect(await send('PUT', '/bucket/tolerant', 'hello', { 'content-md5': md5('other') })).toMatchObject({
      code: 'BadDigest',
    });
    expect(ports.backendCalls).not.toContain('metadata.commitObject');
  });
});

describe('outcomes of the commit', () => {
  it.each<[Exclude<CommitAnswer['outcome'], 'committed'>, number, string]>([
    ['precondition-failed', 412, 'PreconditionFailed'],
    ['no-such-key', 404, 'NoSuchKey'],
    ['late', 503, 'ServiceUnavailable'],
    ['margin-lost', 503, 'ServiceUnavailable'],
  ])('%s is %i %s', async (outcome, status, code) => {
    jest.spyOn(ports.memoryMetadata, 'commitObject').mockResolvedValue({ outcome });
    expect(await send('PUT', '/bucket/judged', 'hello')).toMatchObject({ status, code });
  });

  it('offers the same bytes again when the configuration of the bucket changed', async () => {
    await send('PUT', '/bucket/changed', 'one');
    ports.memoryMetadata.touchBucket('bucket');
    ports.forgetCalls();
    expect((await send('PUT', '/bucket/changed', 'two')).status).toBe(200);
    expect(ports.backendCalls).toEqual([
      'data.write',
      'metadata.commitObject',
      'metadata.findBucket',
      'metadata.commitObject',
    ]);
    expect((await send('GET', '/bucket/changed')).text).toBe('two');
  });

  it('gives nothing to a bucket that took over the name while the body was on its way', async () => {
    await send('PUT', '/replaced');
    await send('PUT', '/replaced/key', 'one');
    await send('DELETE', '/replaced/key');
    const { bucket } = await ports.memoryMetadata.findBucket({}, { name: 'replaced' });
    await ports.memoryMetadata.deleteBucket({}, { bucketId: bucket?.bucketId ?? 0n });
    expect(await send('PUT', '/replaced/key', 'two')).toMatchObject({ status: 404, code: 'NoSuchBucket' });
    await ports.memoryMetadata.createBucket({}, { name: 'replaced', accountId: account.accountId });
    expect((await send('GET', '/replaced/key')).code).toBe('NoSuchKey');
  });

  it('a precondition that fails already saves the upload', async () => {
    await send('PUT', '/bucket/there', 'hello');
    ports.forgetCalls();
    const answer = await send('PUT', '/bucket/there', 'other', { 'if-none-match': '*' });
    expect(answer).toMatchObject({ status: 412, code: 'PreconditionFailed' });
    expect(ports.backendCalls).toEqual(['metadata.findObject']);
  });

  it('REDUCED_REDUNDANCY asks for no secondary copy', async () => {
    const write = jest.spyOn(ports.memoryData, 'write');
    await send('PUT', '/bucket/reduced', 'x', { 'x-amz-storage-class': 'REDUCED_REDUNDANCY' });
    expect(write.mock.calls[0][1].profile.secondary).toBe(false);
    expect((await send('HEAD', '/bucket/reduced')).headers.get('x-amz-storage-class')).toBe('REDUCED_REDUNDANCY');
  });
});

describe('seed-2.1: nothing fills when somebody is slow', () => {
  it('a slow data service stops the socket from being read', async () => {
    const totalBytes = 64 * MIB;
    let takenBytes = 0;
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    jest.spyOn(ports.memoryData, 'write').mockImplementation(async (_call, { writeId }, body) => {
      for await (const piece of body) {
        takenBytes += piece.length;
        if (takenBytes > MIB) await gate;
      }
      return { writeId, sizeBytes: takenBytes, chunks: Buffer.from([1]), epoch: 1n, degraded: false };
    });
    const connection = await RawConnection.open(port);
    connection.send(
      `PUT /bucket/slow HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Length: ${totalBytes}\r\n\r\n`,
    );
    const piece = Buffer.alloc(MIB);
    for (let sent = 0; sent < totalBytes; sent += MIB) connection.send(piece);
    await wait(300);
    // What the kernel and Node hold between the two is not ours to bound; most of the body is still with its sender.
    expect(takenBytes).toBeLessThan(2 * MIB);
    expect(connection.socket.writableLength).toBeGreaterThan(totalBytes / 2);
    release();
    expect((await connection.answer(20_000)).status).toBe(200);
    expect(takenBytes).toBe(totalBytes);
    connection.destroy();
  });

  it('a slow reader stops the data service from being asked for more', async () => {
    const chunk = Buffer.alloc(MIB);
    await send('PUT', '/bucket/long', Buffer.alloc(64 * MIB));
    let readBytes = 0;
    jest.spyOn(ports.memoryData, 'read').mockImplementation(async function* () {
      for (; readBytes < 64 * MIB; readBytes += MIB) yield chunk;
    });
    const connection = await RawConnection.open(port);
    connection.socket.pause();
    connection.send(`GET /bucket/long HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`);
    await wait(300);
    expect(readBytes).toBeLessThan(32 * MIB);
    const stoppedAt = readBytes;
    await wait(100);
    expect(readBytes).toBe(stoppedAt);
    connection.destroy();
  });
});
