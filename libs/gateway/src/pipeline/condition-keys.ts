import { HoldfastError, type ConditionKeys } from '@holdfast/contracts';
import type { S3Operation } from '@holdfast/s3-protocol';
import { tagsOf } from '../operations/request-tags.js';
import type { Claim } from './authentication/authenticator.js';
import type { S3Request } from './request.js';

/**
 * What conditions of policies may ask about a request, from the request as it was parsed and verified: a header that is
 * named like a key is a header like any other. A key that S3 offers for some operations only stands here for those only;
 * those of the caller are added by who judges.
 */
export function conditionKeys(request: S3Request, row: S3Operation, claim: Claim): ConditionKeys {
  const keys = requestKeys(request);
  addSignature(keys, request, claim);
  if (LISTS.has(row.name)) addListing(keys, request);
  if (row.level === 'object') addVersion(keys, request);
  if (row.method !== 'GET' && row.method !== 'HEAD') addWrite(keys, request);
  return keys;
}

/** Those that are no service's own. */
export function requestKeys(request: S3Request): ConditionKeys {
  const keys: ConditionKeys = {
    // The S3 port has no TLS of its own.
    'aws:securetransport': ['false'],
    // The current time is the same, written otherwise.
    'aws:epochtime': [String(Math.floor(request.arrivedAtMs / 1000))],
  };
  if (request.sourceIp !== '') keys['aws:sourceip'] = [request.sourceIp];
  addHeader(keys, 'aws:useragent', request, 'user-agent');
  addHeader(keys, 'aws:referer', request, 'referer');
  return keys;
}

const LISTS: ReadonlySet<string> = new Set(['ListObjects', 'ListObjectsV2', 'ListObjectVersions']);
/** A longer text of a client is cut: what a pattern costs grows with what it is held against. */
const TEXT_CHARACTERS_MAX = 2048;

function addHeader(keys: ConditionKeys, key: string, { headers }: S3Request, header: string): void {
  const value = headers.get(header);
  if (value !== undefined) keys[key] = [textOf(value).slice(0, TEXT_CHARACTERS_MAX)];
}

/** Headers are byte strings; policies are Unicode. */
function textOf(value: string): string {
  return /^[\x20-\x7e]*$/.test(value) ? value : Buffer.from(value, 'latin1').toString('utf8');
}

function addSignature(keys: ConditionKeys, request: S3Request, { presented: credential, proof }: Claim): void {
  switch (credential.kind) {
    case 'anonymous':
      if (proof.kind === 'anonymous') break;
      // The proof was a field of a form.
      keys['s3:authtype'] = ['POST'];
      keys['s3:signatureversion'] = [proof.kind === 'signature-v4' ? 'AWS4-HMAC-SHA256' : 'AWS'];
      break;
    case 'bearer':
      keys['s3:authtype'] = ['REST-HEADER'];
      break;
    case 'header-v4':
    case 'query-v4':
      keys['s3:authtype'] = [credential.kind === 'header-v4' ? 'REST-HEADER' : 'REST-QUERY-STRING'];
      keys['s3:signatureversion'] = ['AWS4-HMAC-SHA256'];
      keys['s3:signatureage'] = [String(Math.max(0, Math.round(request.arrivedAtMs - credential.timestampMs)))];
      keys['s3:x-amz-content-sha256'] = [credential.payloadHash];
      break;
    case 'header-v2':
    case 'query-v2':
      keys['s3:authtype'] = [credential.kind === 'header-v2' ? 'REST-HEADER' : 'REST-QUERY-STRING'];
      keys['s3:signatureversion'] = ['AWS'];
      break;
  }
}

function addListing(keys: ConditionKeys, { target: { query } }: S3Request): void {
  for (const name of ['prefix', 'delimiter', 'max-keys']) {
    const value = query.get(name);
    if (value !== undefined) keys[`s3:${name}`] = [value.slice(0, TEXT_CHARACTERS_MAX)];
  }
}

function addVersion(keys: ConditionKeys, { target: { query } }: S3Request): void {
  const versionId = query.get('versionId');
  if (versionId !== undefined && versionId !== '') keys['s3:versionid'] = [versionId.slice(0, TEXT_CHARACTERS_MAX)];
}

const WRITE_HEADERS: readonly (readonly [header: string, key: string])[] = [
  ...['x-amz-acl', 'x-amz-grant-read', 'x-amz-grant-write', 'x-amz-grant-read-acp', 'x-amz-grant-write-acp'],
  ...['x-amz-grant-full-control', 'x-amz-metadata-directive', 'x-amz-storage-class', 'x-amz-server-side-encryption'],
  ...['x-amz-server-side-encryption-aws-kms-key-id', 'x-amz-server-side-encryption-customer-algorithm'],
  ...['x-amz-website-redirect-location', 'if-match', 'if-none-match'],
].map((header) => [header, `s3:${header}`]);

function addWrite(keys: ConditionKeys, request: S3Request): void {
  for (const [header, key] of WRITE_HEADERS) addHeader(keys, key, request, header);
  if (request.headers.has('x-amz-tagging')) addTags(keys, request);
}

/** Tags that come with the object. What cannot be read has no tags here; the operation refuses it by its name. */
function addTags(keys: ConditionKeys, { headers }: S3Request): void {
  try {
    const { tags = {} } = tagsOf(headers);
    const names = Object.keys(tags);
    if (names.length > 0) keys['s3:requestobjecttagkeys'] = names;
    for (const name of names) keys[`s3:requestobjecttag/${name.toLowerCase()}`] = [tags[name]];
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
  }
}
