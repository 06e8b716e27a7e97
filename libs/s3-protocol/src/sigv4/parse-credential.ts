/**
 * Decides once how a request proves who sent it. What would surprise:
 * - a request that shows two proofs is refused, never tried one after the other;
 * - every `x-amz-*` header must be signed, or whoever holds a signed request could add a copy source, an ACL or a tag.
 *   Only x-amz-content-sha256 is exempt, in header authentication, because its value is a line of the canonical request.
 */
import { HoldfastError, type ErrorName } from '@holdfast/contracts';
import type { HeaderList } from '../headers/header-list.js';
import { isHeaderName } from '../headers/header-value.js';
import type { SignatureV2 } from '../sigv2/credential.js';
import { parseHeaderV2, splitHeaderV2 } from '../sigv2/parse-header.js';
import { hasPresignedV2, parsePresignedV2 } from '../sigv2/parse-presigned.js';
import type { QueryParameters } from '../target/query-parameters.js';
import type {
  BearerCredential,
  CredentialScope,
  RequestCredential,
  SignedRequest,
  SigV4Credential,
} from './credential.js';
import { classifyPayload, presignedPayloadHash } from './payload.js';
import { formatTimestamp, headerTimeMs, parseTimestamp } from './signing-time.js';

export interface ExpectedScope {
  readonly region: string;
  /** Accepted beside it: of a service that has no region. None unless given. */
  readonly otherRegions?: readonly string[];
  /** `s3` unless given. */
  readonly service?: string;
  /** SHA-256 of the body that came, in hexadecimal digits: other services than S3 sign it without showing it in a header. */
  readonly payloadSha256?: string;
  /** `off` unless given. */
  readonly signatureV2?: SignatureV2;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const TERMINATOR = 'aws4_request';
const PRESIGN_EXPIRES_MAX_SECONDS = 604_800;
const ACCESS_KEY_MAX_CHARACTERS = 128;
const SIGNED_HEADERS_MAX = 100;
const BEARER_TOKEN = /^[A-Za-z0-9._~+/-]{1,16384}=*$/;
const SIGNATURE = /^[0-9a-f]{64}$/;

/** @throws HoldfastError as rows XA1 to XA8 and XB1 to XB5 of the failure matrix say; no look-up of any key happens here. */
export function parseCredential(request: SignedRequest, expected: ExpectedScope): RequestCredential {
  const authorizations = request.headers.getAll('authorization');
  const presignedV4 = hasPresignedV4(request.query);
  const presignedV2 = hasPresignedV2(request.query);
  if (authorizations.length > 1)
    throw new HoldfastError('InvalidArgument', 'Only one Authorization header is allowed.');
  if (Number(presignedV4) + Number(presignedV2) + authorizations.length > 1) {
    throw new HoldfastError(
      'InvalidArgument',
      'Only one auth mechanism is allowed: one query signature, or the Authorization header.',
    );
  }
  if (presignedV4) return parseQueryCredential(request, expected);
  if (presignedV2) {
    if (expected.signatureV2 === undefined || expected.signatureV2 === 'off') throw unsupportedMechanism();
    return parsePresignedV2(request);
  }
  return authorizations.length === 0 ? { kind: 'anonymous' } : parseAuthorization(authorizations[0], request, expected);
}

function parseAuthorization(value: string, request: SignedRequest, expected: ExpectedScope): RequestCredential {
  const text = value.trim();
  if (text === '') throw new HoldfastError('AccessDenied');
  const space = text.search(/[ \t]/);
  const scheme = space < 0 ? text : text.slice(0, space);
  const rest = space < 0 ? '' : text.slice(space + 1).trim();
  if (scheme === ALGORITHM) return parseHeaderCredential(rest, request, expected);
  if (scheme.toLowerCase() === 'bearer') return parseBearer(rest);
  if (scheme === 'AWS') {
    const fields = splitHeaderV2(rest);
    if (expected.signatureV2 !== 'all') throw unsupportedMechanism();
    return parseHeaderV2(fields, request);
  }
  if (scheme.startsWith('AWS4-')) throw unsupportedMechanism();
  throw new HoldfastError('InvalidArgument', 'Unsupported Authorization Type', { ArgumentName: 'Authorization' });
}

function unsupportedMechanism(): HoldfastError {
  return new HoldfastError(
    'InvalidRequest',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 or a Bearer token.',
  );
}

function parseBearer(token: string): BearerCredential {
  if (!BEARER_TOKEN.test(token)) throw new HoldfastError('InvalidToken');
  return { kind: 'bearer', token };
}

// Header authentication

/** What the fields before the signature say. A client sends the same all day long. */
interface SigningClaim {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  readonly signedHeaders: readonly string[];
}

const REMEMBERED_CLAIMS_MAX = 1000;
/** Longer ones are not worth their memory. */
const REMEMBERED_CHARACTERS_MAX = 1024;
const SIGNATURE_LAST = /^(.*[\s,]Signature=)([0-9a-f]{64})$/;
const rememberedClaims = new Map<string, SigningClaim>();

function parseHeaderCredential(fields: string, request: SignedRequest, expected: ExpectedScope): SigV4Credential {
  const { signature, accessKeyId, scope, signedHeaders } = parseHeaderFields(fields, expected);
  const timestampMs = headerTimeMs(request.headers, parseTimestamp);
  const timestamp = formatTimestamp(timestampMs);
  requireScopeDate(scope, timestamp);
  requireSigned(request.headers, signedHeaders, true);
  const sessionToken = request.headers.get('x-amz-security-token');
  const payloadHash = expected.payloadSha256 ?? headerPayloadHash(request.headers);
  requirePresent(request.headers, signedHeaders);
  requireSignatureForm(signature);
  return {
    kind: 'header-v4',
    accessKeyId,
    scope,
    signedHeaders,
    signature,
    timestamp,
    timestampMs,
    payloadHash,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
}

/** A claim is remembered only when all of it was well-formed, by every character that it was read from. */
function parseHeaderFields(fields: string, expected: ExpectedScope): SigningClaim & { readonly signature: string } {
  const isShort = fields.length <= REMEMBERED_CHARACTERS_MAX;
  const [, claimText, lastSignature] = (isShort ? SIGNATURE_LAST.exec(fields) : null) ?? [];
  const name = claimText === undefined ? undefined : `${expected.service ?? 's3'} ${expected.region} ${claimText}`;
  const known = name === undefined ? undefined : rememberedClaims.get(name);
  if (known !== undefined) return { ...known, signature: lastSignature };
  const values = new Map<string, string>();
  for (const field of fields.split(',')) {
    const equals = field.indexOf('=');
    const fieldName = field.slice(0, Math.max(equals, 0)).trim();
    const isField = fieldName === 'Credential' || fieldName === 'SignedHeaders' || fieldName === 'Signature';
    if (!isField || values.has(fieldName))
      throw malformedHeader('expected Credential, SignedHeaders and Signature, once each');
    values.set(fieldName, field.slice(equals + 1).trim());
  }
  const signature = values.get('Signature');
  if (!values.get('Credential') || !values.get('SignedHeaders') || !signature) {
    throw malformedHeader('expected Credential, SignedHeaders and Signature, once each');
  }
  const { accessKeyId, scope } = parseScope(values.get('Credential') ?? '', expected, 'AuthorizationHeaderMalformed');
  const signedHeaders = parseSignedHeaders(values.get('SignedHeaders') ?? '', 'AuthorizationHeaderMalformed');
  const claim: SigningClaim = { accessKeyId, scope, signedHeaders };
  if (name !== undefined) {
    if (rememberedClaims.size >= REMEMBERED_CLAIMS_MAX) rememberedClaims.clear();
    rememberedClaims.set(name, claim);
  }
  return { ...claim, signature };
}

function malformedHeader(reason: string): HoldfastError {
  return new HoldfastError('AuthorizationHeaderMalformed', `The authorization header is malformed; ${reason}.`);
}

function headerPayloadHash(headers: HeaderList): string {
  const values = headers.getAll('x-amz-content-sha256');
  if (values.length === 0) {
    throw new HoldfastError('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  if (values.length > 1) throw new HoldfastError('InvalidArgument', 'x-amz-content-sha256 is given more than once.');
  classifyPayload(values[0]);
  return values[0];
}

// Query authentication

const QUERY_NAMES = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
] as const;
/** At most once each, beside the required ones. */
const OPTIONAL_QUERY_NAMES = ['X-Amz-Security-Token', 'X-Amz-Content-Sha256'] as const;
const PROOF_NAMES = new Set(['x-amz-algorithm', 'x-amz-credential', 'x-amz-signedheaders', 'x-amz-signature']);

function hasPresignedV4(query: QueryParameters): boolean {
  return query.pairs.some(({ name }) => PROOF_NAMES.has(name.toLowerCase()));
}

function queryError(message: string): HoldfastError {
  return new HoldfastError('AuthorizationQueryParametersError', message);
}

function readQueryFields(query: QueryParameters): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const known = new Map([...QUERY_NAMES, ...OPTIONAL_QUERY_NAMES].map((name) => [name.toLowerCase(), name]));
  for (const { name, value } of query.pairs) {
    const spelt = known.get(name.toLowerCase());
    // Content-Sha256 and Security-Token are headers that a signer moved: it kept their spelling.
    if (spelt === undefined) continue;
    if (fields.has(spelt)) throw queryError(`${spelt} is given more than once.`);
    fields.set(spelt, value);
  }
  for (const name of QUERY_NAMES) {
    if (!fields.get(name)) {
      throw queryError(`Query-string authentication version 4 requires the ${QUERY_NAMES.join(', ')} parameters.`);
    }
  }
  return fields;
}

function parseQueryCredential(request: SignedRequest, expected: ExpectedScope): SigV4Credential {
  const fields = readQueryFields(request.query);
  const field = (name: (typeof QUERY_NAMES)[number]): string => fields.get(name) ?? '';
  if (field('X-Amz-Algorithm') !== ALGORITHM) throw queryError(`X-Amz-Algorithm only supports "${ALGORITHM}"`);
  const { accessKeyId, scope } = parseScope(field('X-Amz-Credential'), expected, 'AuthorizationQueryParametersError');
  const signedHeaders = parseSignedHeaders(field('X-Amz-SignedHeaders'), 'AuthorizationQueryParametersError');
  const timestamp = field('X-Amz-Date');
  const timestampMs = parseTimestamp(timestamp);
  if (timestampMs === undefined || timestampMs < 0) {
    throw queryError("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  }
  const expiresSeconds = parseExpires(field('X-Amz-Expires'));
  requireScopeDate(scope, timestamp);
  requireSigned(request.headers, signedHeaders, false);
  const sessionToken = fields.get('X-Amz-Security-Token') ?? request.headers.get('x-amz-security-token');
  requirePresent(request.headers, signedHeaders);
  requireSignatureForm(field('X-Amz-Signature'));
  return {
    kind: 'query-v4',
    accessKeyId,
    scope,
    signedHeaders,
    signature: field('X-Amz-Signature'),
    timestamp,
    timestampMs,
    // An unsigned header was refused before this is asked.
    payloadHash: presignedPayloadHash(
      fields.get('X-Amz-Content-Sha256') ?? request.headers.get('x-amz-content-sha256'),
    ),
    expiresSeconds,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
}

function parseExpires(text: string): number {
  if (!/^-?\d+$/.test(text)) throw queryError('X-Amz-Expires should be a number');
  const expiresSeconds = Number(text);
  if (expiresSeconds < 1) throw new HoldfastError('AccessDenied', 'X-Amz-Expires must be positive');
  if (expiresSeconds > PRESIGN_EXPIRES_MAX_SECONDS) {
    throw new HoldfastError(
      'AccessDenied',
      `X-Amz-Expires must be less than a week (in seconds); that is ${PRESIGN_EXPIRES_MAX_SECONDS}`,
    );
  }
  return expiresSeconds;
}

// Both

export function parseScope(
  credential: string,
  expected: ExpectedScope,
  code: ErrorName,
): { accessKeyId: string; scope: CredentialScope } {
  const service = expected.service ?? 's3';
  // From the right: an access key may hold slashes.
  const parts = credential.split('/');
  const terminator = parts.pop();
  const givenService = parts.pop();
  const region = parts.pop();
  const date = parts.pop();
  const accessKeyId = parts.join('/');
  if (
    accessKeyId === '' ||
    accessKeyId.length > ACCESS_KEY_MAX_CHARACTERS ||
    date === undefined ||
    !/^\d{8}$/.test(date)
  ) {
    throw new HoldfastError(
      code,
      'The Credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  if (terminator !== TERMINATOR) throw new HoldfastError(code, 'The Credential must end in "aws4_request".');
  if (givenService !== service) {
    throw new HoldfastError(code, `The Credential has an incorrect service. This endpoint belongs to "${service}".`);
  }
  if (region === undefined || (region !== expected.region && !expected.otherRegions?.includes(region))) {
    throw new HoldfastError(code, `The region of the Credential is wrong; expecting "${expected.region}".`, {
      Region: expected.region,
    });
  }
  return { accessKeyId, scope: { date, region, service } };
}

function parseSignedHeaders(text: string, code: ErrorName): readonly string[] {
  const names = text.toLowerCase().split(';');
  const wellFormed = names.length <= SIGNED_HEADERS_MAX && names.every(isHeaderName);
  if (!wellFormed || new Set(names).size !== names.length) {
    throw new HoldfastError(code, 'SignedHeaders must be header names separated by semicolons, once each.');
  }
  return names.sort();
}

/** What cannot be a signature matches none; the identity service is not asked. */
export function requireSignatureForm(signature: string): void {
  if (!SIGNATURE.test(signature)) throw new HoldfastError('SignatureDoesNotMatch');
}

/** A signed header that was taken out on the way would read like one that was empty. */
function requirePresent(headers: HeaderList, signedHeaders: readonly string[]): void {
  if (!signedHeaders.every((name) => headers.has(name))) throw new HoldfastError('SignatureDoesNotMatch');
}

export function requireScopeDate(scope: CredentialScope, timestamp: string): void {
  if (timestamp.startsWith(scope.date)) return;
  throw new HoldfastError('SignatureDoesNotMatch', 'The date of the Credential is not the date of the request.');
}

function requireSigned(headers: HeaderList, signedHeaders: readonly string[], exemptPayloadHash: boolean): void {
  const unsigned: string[] = [];
  if (!signedHeaders.includes('host')) unsigned.push('host');
  for (const name of headers.names()) {
    if (!name.startsWith('x-amz-') || signedHeaders.includes(name)) continue;
    if (exemptPayloadHash && name === 'x-amz-content-sha256') continue;
    unsigned.push(name);
  }
  if (unsigned.length === 0) return;
  throw new HoldfastError('AccessDenied', 'There were headers present in the request which were not signed', {
    HeadersNotSigned: unsigned.join(', ').slice(0, 1024),
  });
}
