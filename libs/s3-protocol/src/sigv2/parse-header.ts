import { HoldfastError } from '@holdfast/contracts';
import { trimBlanks } from '../headers/header-value.js';
import type { SignedRequest } from '../sigv4/credential.js';
import { headerTimeMs, parseSigningDate } from '../sigv4/signing-time.js';
import { refuseUnsignedChoice } from './canonical-resource.js';
import type { HeaderV2Credential } from './credential.js';
import { ACCESS_KEY_MAX_CHARACTERS, BASE64_OF_SHA1 } from './signature-form.js';

const KEY_AND_SIGNATURE = /^([^:\s]+):([A-Za-z0-9+/]+=*)$/;

export interface HeaderV2Fields {
  readonly accessKeyId: string;
  readonly signature: string;
}

/**
 * `key:signature`, as it stands behind `AWS ` in the Authorization header.
 * @throws HoldfastError InvalidArgument (another form)
 */
export function splitHeaderV2(value: string): HeaderV2Fields {
  const match = KEY_AND_SIGNATURE.exec(value);
  if (match !== null) return { accessKeyId: match[1], signature: match[2] };
  throw new HoldfastError('InvalidArgument', 'AWS authorization header is invalid. Expected AwsAccessKeyId:signature');
}

/**
 * @throws HoldfastError AccessDenied (no readable date, a parameter that is not covered), InvalidToken (a session token),
 *   InvalidAccessKeyId, SignatureDoesNotMatch (malformed)
 */
export function parseHeaderV2({ accessKeyId, signature }: HeaderV2Fields, request: SignedRequest): HeaderV2Credential {
  const { headers, query } = request;
  const timestampMs = headerTimeMs(headers, parseSigningDate);
  if (headers.has('x-amz-security-token')) throw new HoldfastError('InvalidToken');
  refuseUnsignedChoice(query);
  if (accessKeyId.length > ACCESS_KEY_MAX_CHARACTERS) throw new HoldfastError('InvalidAccessKeyId');
  if (!BASE64_OF_SHA1.test(signature)) throw new HoldfastError('SignatureDoesNotMatch');
  const date = headers.has('x-amz-date') ? '' : trimBlanks(headers.get('date') ?? '');
  return { kind: 'header-v2', accessKeyId, signature, date, timestampMs };
}
