import { describe, expect, it } from '@jest/globals';
import * as sdk from '@aws-sdk/client-s3';
import { HeaderList } from '../headers/header-list.js';
import { parseRequestTarget } from '../target/request-target.js';
import { operationNamed, S3_OPERATIONS } from './operation-table.js';
import { isFormUpload, resolveOperation } from './resolve-operation.js';

const resolve = (method: string, rawUrl: string, headers: Record<string, string> = {}) =>
  resolveOperation({ method, ...parseRequestTarget(rawUrl), headers: HeaderList.from(headers) });
const nameOf = (...request: Parameters<typeof resolve>): string => resolve(...request).name;
const code = (name: string) => expect.objectContaining({ code: name });

/** What the SDK itself sends for each operation: its model has method and path of every one. */
interface SdkOperation {
  readonly name: string;
  readonly method: string;
  readonly uri: string;
  /** Names of the parameters that its members travel as. */
  readonly parameters: readonly string[];
}

type SdkShape = unknown[] | (() => unknown[]);

function queryParameters(shape: SdkShape): string[] {
  const members = (typeof shape === 'function' ? shape() : shape)[5] as [unknown, { httpQuery?: string }?][];
  return members.flatMap((member) => (Array.isArray(member) ? (member[1]?.httpQuery ?? []) : []));
}

function sdkOperations(): readonly SdkOperation[] {
  const found: SdkOperation[] = [];
  for (const value of Object.values(sdk) as unknown[]) {
    if (!Array.isArray(value) || value[0] !== 9) continue;
    const [method, uri] = (value[3] as { http: [string, string] }).http;
    found.push({ name: value[2] as string, method, uri, parameters: queryParameters(value[4] as SdkShape) });
  }
  return found;
}

/** Members that the model puts into query or headers and that tell two operations apart. */
const TELLING: Readonly<Record<string, { query?: string; headers?: Record<string, string> }>> = {
  CopyObject: { headers: { 'x-amz-copy-source': '/b/k' } },
  UploadPartCopy: { query: 'uploadId=u&partNumber=1', headers: { 'x-amz-copy-source': '/b/k' } },
  UploadPart: { query: 'uploadId=u&partNumber=1' },
  ListParts: { query: 'uploadId=u' },
  AbortMultipartUpload: { query: 'uploadId=u' },
  CompleteMultipartUpload: { query: 'uploadId=u' },
  GetBucketAnalyticsConfiguration: { query: 'id=i' },
  GetBucketIntelligentTieringConfiguration: { query: 'id=i' },
  GetBucketInventoryConfiguration: { query: 'id=i' },
  GetBucketMetricsConfiguration: { query: 'id=i' },
  GetObjectAnnotation: { query: 'annotationName=n' },
  WriteGetObjectResponse: { headers: { 'x-amz-request-route': 'r', 'x-amz-request-token': 't' } },
};

describe('the operation table', () => {
  const operations = sdkOperations();

  it('knows every operation of the SDK and three that no SDK calls', () => {
    expect(operations.length).toBeGreaterThan(100);
    const names = new Set<string>(S3_OPERATIONS.map((row) => row.name));
    expect(operations.map(({ name }) => name).filter((name) => !names.has(name))).toEqual([]);
    const known = new Set(operations.map(({ name }) => name));
    expect([...names].filter((name) => !known.has(name)).sort()).toEqual([
      'OptionsBucket',
      'OptionsObject',
      'PostObject',
    ]);
  });

  it.each(operations)('$name resolves from what the SDK sends', ({ name, method, uri }) => {
    const telling = TELLING[name] ?? {};
    const row = operationNamed(name as (typeof S3_OPERATIONS)[number]['name']);
    const [path, query = ''] = uri.split('?');
    const base =
      path === '/WriteGetObjectResponse' ? path : row.level === 'service' ? '/' : path.replace('/', '/bucket/');
    const url = `${base.replace('{Key+}', 'a/key')}?${[query, telling.query].filter(Boolean).join('&')}`;
    expect(nameOf(method, url, telling.headers)).toBe(name);
  });

  it('serves exactly these', () => {
    const served = S3_OPERATIONS.filter((row) => row.status === 'served').map((row) => row.name);
    expect(served.sort()).toEqual([
      'AbortMultipartUpload',
      'CompleteMultipartUpload',
      'CopyObject',
      'CreateBucket',
      'CreateMultipartUpload',
      'DeleteBucket',
      'DeleteBucketCors',
      'DeleteBucketOwnershipControls',
      'DeleteBucketPolicy',
      'DeleteBucketTagging',
      'DeleteObject',
      'DeleteObjectTagging',
      'DeleteObjects',
      'DeletePublicAccessBlock',
      'GetBucketCors',
      'GetBucketLocation',
      'GetBucketOwnershipControls',
      'GetBucketPolicy',
      'GetBucketPolicyStatus',
      'GetBucketTagging',
      'GetBucketVersioning',
      'GetObject',
      'GetObjectAttributes',
      'GetObjectTagging',
      'GetPublicAccessBlock',
      'HeadBucket',
      'HeadObject',
      'ListBuckets',
      'ListMultipartUploads',
      'ListObjectVersions',
      'ListObjects',
      'ListObjectsV2',
      'ListParts',
      'OptionsBucket',
      'OptionsObject',
      'PostObject',
      'PutBucketCors',
      'PutBucketOwnershipControls',
      'PutBucketPolicy',
      'PutBucketTagging',
      'PutBucketVersioning',
      'PutObject',
      'PutObjectTagging',
      'PutPublicAccessBlock',
      'UploadPart',
      'UploadPartCopy',
    ]);
  });

  it('takes versionId and partNumber where the SDK has them', () => {
    const wanted = (parameters: readonly string[]) =>
      parameters.filter((name) => name === 'versionId' || name === 'partNumber').sort();
    for (const { name, parameters } of operations) {
      const { query = {}, takes = [] } = operationNamed(name as (typeof S3_OPERATIONS)[number]['name']);
      expect([name, ...wanted([...Object.keys(query), ...takes])]).toEqual([name, ...wanted(parameters)]);
    }
  });

  it('every row asks for an action, but for preflights', () => {
    const without = S3_OPERATIONS.filter((row) => !/^s3[a-z-]*:[A-Z][A-Za-z]+$/.test(row.action));
    expect(without.map((row) => row.name).sort()).toEqual(['OptionsBucket', 'OptionsObject']);
  });

  it('no two rows match on the same conditions', () => {
    const conditions = S3_OPERATIONS.map((row) =>
      JSON.stringify([row.level, row.method, row.query ?? {}, row.headers ?? [], row.body === 'form']),
    );
    expect(new Set(conditions).size).toBe(conditions.length);
  });

  it('gives the plain operations the actions that policies name', () => {
    const actions = Object.fromEntries(S3_OPERATIONS.map((row) => [row.name, row.action]));
    expect(actions).toMatchObject({
      ListBuckets: 's3:ListAllMyBuckets',
      HeadBucket: 's3:ListBucket',
      ListObjectsV2: 's3:ListBucket',
      HeadObject: 's3:GetObject',
      DeleteObjects: 's3:DeleteObject',
      UploadPart: 's3:PutObject',
      CompleteMultipartUpload: 's3:PutObject',
      ListParts: 's3:ListMultipartUploadParts',
      DeleteBucketLifecycle: 's3:PutLifecycleConfiguration',
    });
  });
});

describe('resolveOperation', () => {
  it.each([
    ['GET', '/', 'ListBuckets'],
    ['GET', '/bucket', 'ListObjects'],
    ['GET', '/bucket/?prefix=a&delimiter=&marker=&max-keys=&encoding-type=url', 'ListObjects'],
    ['GET', '/bucket?list-type=2&prefix=', 'ListObjectsV2'],
    ['GET', '/bucket?list-type=1', 'ListObjects'],
    ['GET', '/bucket/key?partNumber=2', 'GetObject'],
    ['GET', '/bucket/key?versionId=v', 'GetObject'],
    ['HEAD', '/bucket/key?versionId=v&partNumber=1', 'HeadObject'],
    ['DELETE', '/bucket/key?versionId=v', 'DeleteObject'],
    ['GET', '/bucket/key?response-content-type=text%2Fplain&response-expires=', 'GetObject'],
    ['GET', '/bucket/key?X-Amz-Algorithm=a&X-Amz-Signature=s&X-Amz-Security-Token=&x-id=GetObject', 'GetObject'],
    ['GET', '/bucket/key?AWSAccessKeyId=a&Signature=&Expires=', 'GetObject'],
    ['GET', '/bucket/key?cache-buster=1', 'GetObject'],
    ['GET', '/bucket/key?ACL=x', 'GetObject'],
    ['GET', '/bucket/key?12345', 'GetObject'],
    ['HEAD', '/bucket/key?_=', 'HeadObject'],
    ['GET', '/bucket?=', 'ListObjects'],
    ['PUT', '/bucket/key', 'PutObject'],
    ['PUT', '/bucket/a?acl&versionId=v', 'PutObjectAcl'],
    ['OPTIONS', '/bucket', 'OptionsBucket'],
    ['OPTIONS', '/bucket/key?uploads', 'OptionsObject'],
    ['OPTIONS', '/bucket/key?partNumber=1&versionId=v', 'OptionsObject'],
    ['DELETE', '/bucket/key?tagging&versionId=v', 'DeleteObjectTagging'],
    ['GET', '/bucket/key?attributes&versionId=', 'GetObjectAttributes'],
  ])('seed-3.18: %s %s is %s', (method, url, name) => {
    expect(nameOf(method, url)).toBe(name);
  });

  it('a copy source makes a copy of a PUT, also when a signer moved it into the query', () => {
    expect(nameOf('PUT', '/b/k', { 'X-Amz-Copy-Source': '/b/k2' })).toBe('CopyObject');
    expect(nameOf('PUT', '/b/k?uploadId=u&partNumber=1', { 'x-amz-copy-source': '/b/k2' })).toBe('UploadPartCopy');
    expect(nameOf('PUT', '/b/k?X-Amz-Signature=s&x-amz-copy-source=%2Fb%2Fk2')).toBe('CopyObject');
    expect(nameOf('PUT', '/b/k?x-amz-copy-source=%2Fb%2Fk2')).toBe('PutObject');
  });

  it('a form posted to a bucket is PostObject, and nothing else posted there is', () => {
    expect(nameOf('POST', '/bucket', { 'content-type': 'multipart/form-data; boundary=x' })).toBe('PostObject');
    expect(() => nameOf('POST', '/bucket', { 'content-type': 'application/xml' })).toThrow(code('PreconditionFailed'));
    expect(() => nameOf('POST', '/bucket')).toThrow(code('PreconditionFailed'));
    expect(isFormUpload(HeaderList.from({ 'content-type': 'Multipart/Form-Data' }))).toBe(true);
    expect(isFormUpload(HeaderList.from({ 'content-type': 'multipart/form-database' }))).toBe(false);
    expect(isFormUpload(HeaderList.from({}))).toBe(false);
  });

  it.each([
    ['PATCH', '/bucket/key'],
    ['TRACE', '/'],
    ['get', '/bucket'],
    ['PUT', '/'],
    ['POST', '/bucket/key'],
    ['HEAD', '/bucket?acl'],
    ['HEAD', '/bucket/key?uploadId=u'],
    ['POST', '/bucket?acl'],
    ['DELETE', '/bucket?versioning'],
    ['PUT', '/bucket/key?torrent'],
    ['OPTIONS', '/'],
  ])('%s %s is MethodNotAllowed', (method, url) => {
    expect(() => nameOf(method, url)).toThrow(code('MethodNotAllowed'));
  });

  it.each([
    ['GET', '/bucket/key?cors'],
    ['GET', '/bucket/key?policy'],
    ['PUT', '/bucket/key?lifecycle='],
    ['DELETE', '/bucket/key?website'],
    ['GET', '/bucket?torrent'],
    ['GET', '/?acl'],
    ['GET', '/bucket/key?append'],
    ['GET', '/bucket/key?foo'],
    ['GET', '/bucket/key?12345&policy2'],
    ['GET', '/bucket/key?v2'],
    ['GET', '/bucket/key?%D0%B0cl'],
    ['PUT', '/bucket?foo='],
    ['DELETE', '/bucket?x'],
  ])('a sub-resource without a row never falls through: %s %s', (method, url) => {
    expect(() => nameOf(method, url)).toThrow(code('NotImplemented'));
  });

  it.each([
    ['GET', '/bucket?acl&policy'],
    ['PUT', '/bucket/key?uploadId=u'],
    ['PUT', '/bucket/key?partNumber=1'],
    ['POST', '/bucket/key?select'],
    ['DELETE', '/bucket/key?tagging&uploadId=u'],
    ['DELETE', '/bucket/key?partNumber=1'],
    ['DELETE', '/bucket/key?partNumber='],
    ['DELETE', '/bucket/key?partNumber=1&versionId=v'],
    ['DELETE', '/bucket/key?uploadId=u&partNumber=1'],
    ['POST', '/bucket/key?uploadId=u&partNumber=1'],
    ['GET', '/bucket/key?tagging&partNumber=1'],
    ['DELETE', '/bucket?partNumber=1'],
    ['PUT', '/bucket/key?versionId=v'],
    ['PUT', '/bucket/key?versionId='],
    ['PUT', '/bucket/key?uploadId=u&partNumber=1&versionId=v'],
    ['POST', '/bucket/key?uploads&versionId=v'],
    ['POST', '/bucket/key?uploadId=u&versionId=v'],
    ['DELETE', '/bucket/key?uploadId=u&versionId=v'],
    ['DELETE', '/bucket?versionId=v'],
    ['PUT', '/bucket?versioning&versionId=v'],
  ])('%s %s is InvalidArgument', (method, url) => {
    expect(() => nameOf(method, url)).toThrow(code('InvalidArgument'));
  });

  it('a copy names the version of its source in its header, not in the query', () => {
    const source = { 'x-amz-copy-source': '/b/k2?versionId=v' };
    expect(nameOf('PUT', '/b/k', source)).toBe('CopyObject');
    expect(() => nameOf('PUT', '/b/k?versionId=v', source)).toThrow(code('InvalidArgument'));
  });

  it('returns planned rows, so that the caller answers by their name', () => {
    expect(resolve('GET', '/bucket?acl')).toMatchObject({ name: 'GetBucketAcl', status: 'planned' });
  });
});
