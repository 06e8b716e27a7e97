import { HoldfastError } from '@holdfast/contracts';
import type { SignatureV2 } from '../sigv2/credential.js';
import { ACCESS_KEY_MAX_CHARACTERS, BASE64_OF_SHA1 } from '../sigv2/signature-form.js';
import type { AnonymousCredential, CredentialScope } from '../sigv4/credential.js';
import { parseScope, requireScopeDate, requireSignatureForm, type ExpectedScope } from '../sigv4/parse-credential.js';
import { parseTimestamp } from '../sigv4/signing-time.js';
import { invalidForm, type UploadForm } from './upload-form.js';

/** The policy of a form is what was signed: the base64 text as it was sent. */
interface FormCredential {
  readonly accessKeyId: string;
  readonly signature: string;
  readonly policy: string;
}

/** Fields `x-amz-algorithm`, `x-amz-credential`, `x-amz-date`, `x-amz-signature` and perhaps `x-amz-security-token`. */
export interface FormV4Credential extends FormCredential {
  readonly kind: 'form-v4';
  readonly scope: CredentialScope;
  readonly sessionToken?: string;
}

/** Fields `AWSAccessKeyId` and `signature`. */
export interface FormV2Credential extends FormCredential {
  readonly kind: 'form-v2';
}

const V4_FIELDS = ['x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature'] as const;
const V2_FIELDS = ['awsaccesskeyid', 'signature'] as const;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** True when some field of the form claims to prove something. */
export function claimsProof({ fields }: UploadForm): boolean {
  return ['policy', ...V4_FIELDS, ...V2_FIELDS].some((name) => fields.has(name));
}

/**
 * How a form proves who it is from: a form without any such field is anonymous.
 * @throws HoldfastError InvalidArgument (fields that belong together and do not all stand there, two proofs, malformed
 *   values), InvalidRequest (version 2, where it is not accepted), InvalidToken, InvalidAccessKeyId, SignatureDoesNotMatch
 *   (malformed), InvalidPolicyDocument (no base64)
 */
export function parseFormCredential(
  form: UploadForm,
  expected: ExpectedScope & { readonly signatureV2?: SignatureV2 },
): AnonymousCredential | FormV4Credential | FormV2Credential {
  const { fields } = form;
  if (!claimsProof(form)) return { kind: 'anonymous' };
  const isV4 = V4_FIELDS.some((name) => fields.has(name));
  const isV2 = V2_FIELDS.some((name) => fields.has(name));
  if (isV4 && isV2) throw new HoldfastError('InvalidArgument', 'Only one auth mechanism is allowed in a form.');
  return isV4 ? parseV4(form, expected) : parseV2(form, expected);
}

function parseV4(form: UploadForm, expected: ExpectedScope): FormV4Credential {
  const policy = policyOf(form);
  const algorithm = needed(form, 'x-amz-algorithm');
  if (algorithm !== 'AWS4-HMAC-SHA256')
    throw invalidForm('x-amz-algorithm', 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
  const { accessKeyId, scope } = parseScope(needed(form, 'x-amz-credential'), expected, 'InvalidArgument');
  const timestamp = needed(form, 'x-amz-date');
  if (parseTimestamp(timestamp) === undefined) {
    throw invalidForm('x-amz-date', "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  }
  requireScopeDate(scope, timestamp);
  const signature = needed(form, 'x-amz-signature');
  requireSignatureForm(signature);
  const sessionToken = form.fields.get('x-amz-security-token')?.value;
  const credential = { kind: 'form-v4', accessKeyId, scope, signature, policy } as const;
  return sessionToken === undefined ? credential : { ...credential, sessionToken };
}

function parseV2(form: UploadForm, { signatureV2 }: ExpectedScope): FormV2Credential {
  const accessKeyId = needed(form, 'awsaccesskeyid', 'AWSAccessKeyId');
  const signature = needed(form, 'signature');
  const policy = policyOf(form);
  if (signatureV2 !== 'all') {
    throw new HoldfastError(
      'InvalidRequest',
      'The authorization mechanism you have provided is not supported. Please sign the form with AWS4-HMAC-SHA256.',
    );
  }
  if (form.fields.has('x-amz-security-token')) throw new HoldfastError('InvalidToken');
  if (accessKeyId.length > ACCESS_KEY_MAX_CHARACTERS) throw new HoldfastError('InvalidAccessKeyId');
  if (!BASE64_OF_SHA1.test(signature)) throw new HoldfastError('SignatureDoesNotMatch');
  return { kind: 'form-v2', accessKeyId, signature, policy };
}

/** Without blanks: a signed policy can then never read like another text that the same key has signed. */
function policyOf(form: UploadForm): string {
  const policy = needed(form, 'policy');
  if (!BASE64.test(policy)) throw new HoldfastError('InvalidPolicyDocument', 'Invalid Policy: Invalid Base64.');
  return policy;
}

function needed({ fields }: UploadForm, lowerName: string, shown = lowerName): string {
  const value = fields.get(lowerName)?.value;
  if (value !== undefined && value !== '') return value;
  throw invalidForm(
    shown,
    `Bucket POST must contain a field named '${shown}'. If it is specified, please check the order of the fields.`,
  );
}
