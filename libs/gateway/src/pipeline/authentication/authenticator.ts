import type { Clock } from '@holdfast/stdx';
import { HoldfastError, isHoldfastError, type Proof } from '@holdfast/contracts';
import {
  canonicalRequest,
  checkExpiryV2,
  checkTime,
  effectiveHeaders,
  claimsProof,
  parseCredential,
  parseFormCredential,
  payloadMode,
  stringToSign,
  stringToSignV2,
  type HeaderList,
  type HeaderV2Credential,
  type HeaderV4Credential,
  type PayloadMode,
  type QueryV2Credential,
  type QueryV4Credential,
  type RequestCredential,
  type SignatureV2,
  type SignedRequest,
  type UploadForm,
} from '@holdfast/s3-protocol';
import type { S3Request } from '../request.js';

/** Who the request says it is from, in the form that the identity service judges, and how its body is protected. */
export interface Claim {
  readonly proof: Proof;
  readonly payload: PayloadMode;
  /** Present for SigV4 in the Authorization header: what signed chunks are chained to. */
  readonly credential?: HeaderV4Credential;
  /** By which kind of proof. */
  readonly presented: RequestCredential;
  /** What the operation is to obey: a presigned URL may carry headers in its query. */
  readonly headers: HeaderList;
}

const SESSION_TOKEN_LENGTH_MAX = 16_384;
/** What clients sign for a service without a region: that of AWS's global endpoint, or none where they were told of none. */
const GLOBAL_REGIONS = ['us-east-1', ''];

/**
 * Decides once how a request is authenticated. What was signed is computed here; the secret it was signed with stays in the
 * identity service, which compares.
 */
export class Authenticator {
  constructor(
    private readonly region: string,
    private readonly clock: Clock,
    private readonly signatureV2: SignatureV2 = 'presigned',
  ) {}

  /** @throws HoldfastError AccessDenied, AuthorizationHeaderMalformed, RequestTimeTooSkewed, InvalidToken … as S3 names them */
  claim(request: S3Request): Claim {
    const signed = signedParts(request);
    const credential: RequestCredential = parseCredential(signed, {
      region: this.region,
      signatureV2: this.signatureV2,
    });
    const payload = payloadMode(credential, request.headers);
    const headers = effectiveHeaders(signed, credential);
    switch (credential.kind) {
      case 'anonymous':
        return { proof: { kind: 'anonymous' }, presented: credential, payload, headers };
      case 'bearer':
        return { proof: { kind: 'bearer', token: credential.token }, presented: credential, payload, headers };
      case 'header-v4':
        return {
          proof: this.signatureProof(signed, credential, payload),
          presented: credential,
          payload,
          headers,
          credential,
        };
      case 'query-v4':
        return { proof: this.signatureProof(signed, credential, payload), presented: credential, payload, headers };
      case 'query-v2':
        checkExpiryV2(credential, this.clock.nowMs());
        return { proof: signatureV2Proof(signed, credential), presented: credential, payload, headers };
      case 'header-v2':
        checkTime(credential, this.clock.nowMs());
        return { proof: signatureV2Proof(signed, credential), presented: credential, payload, headers };
    }
  }

  /**
   * The same for a form upload. A form proves by its own fields who it is from, or the request does by its headers.
   * @param claim of the request
   * @throws HoldfastError as `parseFormCredential`, InvalidArgument (a proof in both)
   */
  claimOfForm(claim: Claim, form: UploadForm): Proof {
    if (claim.proof.kind !== 'anonymous') {
      if (!claimsProof(form)) return claim.proof;
      throw new HoldfastError('InvalidArgument', 'Only one auth mechanism is allowed: the form has one of its own.');
    }
    const credential = parseFormCredential(form, { region: this.region, signatureV2: this.signatureV2 });
    if (credential.kind === 'anonymous') return claim.proof;
    const { accessKeyId, signature, policy: stringToSign } = credential;
    if (credential.kind === 'form-v2') return { kind: 'signature-v2', accessKeyId, stringToSign, signature };
    const { date, region, service } = credential.scope;
    const scope = { date, region, service, wantsSigningKey: false, ...sessionTokenOf(credential.sessionToken) };
    return { kind: 'signature-v4', accessKeyId, ...scope, stringToSign, signature };
  }

  /**
   * Of a request that is for a service without a region and was signed with the digest of its whole body, which has been read.
   * @throws HoldfastError as `claim`, AccessDenied (no signature of Version 4 in its header)
   */
  proofOfQuery(request: S3Request, service: string, payloadSha256: string): Proof {
    const signed = signedParts(request);
    const otherRegions = GLOBAL_REGIONS;
    const credential = parseCredential(signed, { region: this.region, otherRegions, service, payloadSha256 });
    if (credential.kind !== 'header-v4') throw new HoldfastError('AccessDenied');
    return this.signatureProof(signed, credential, { kind: 'sha256', sha256Hex: payloadSha256 });
  }

  private signatureProof(
    signed: SignedRequest,
    credential: HeaderV4Credential | QueryV4Credential,
    payload: PayloadMode,
  ): Proof {
    checkTime(credential, this.clock.nowMs());
    return {
      ...sessionTokenOf(credential.sessionToken),
      kind: 'signature-v4',
      accessKeyId: credential.accessKeyId,
      date: credential.scope.date,
      region: credential.scope.region,
      service: credential.scope.service,
      stringToSign: stringToSign(canonicalRequest(signed, credential), credential),
      signature: credential.signature,
      wantsSigningKey: payload.kind === 'chunked' && payload.signed,
    };
  }
}

function signedParts({ method, target: { rawPath, hostBucket, query }, headers }: S3Request): SignedRequest {
  return { method, rawPath, hostBucket, query, headers };
}

/** As the identity port takes it: only there it is known whose keys it belongs to. */
function sessionTokenOf(sessionToken: string | undefined): { sessionToken?: string } {
  if (sessionToken === undefined) return {};
  if (sessionToken.length > SESSION_TOKEN_LENGTH_MAX) {
    throw new HoldfastError('InvalidToken', undefined, {}, { status: 400 });
  }
  return { sessionToken };
}

/**
 * A session token that is none, or is over: S3 answers 400 to who signs with temporary keys, and HTTP 401 to who sends a bearer
 * token.
 */
export function refusalOfClaim(claim: Claim, error: unknown): unknown {
  if (claim.proof.kind === 'bearer' || !isHoldfastError(error, 'InvalidToken', 'ExpiredToken')) return error;
  return new HoldfastError(error.code, error.message, error.details, { cause: error, status: 400 });
}

function signatureV2Proof(signed: SignedRequest, credential: QueryV2Credential | HeaderV2Credential): Proof {
  const { accessKeyId, signature } = credential;
  return { kind: 'signature-v2', accessKeyId, stringToSign: stringToSignV2(signed, credential), signature };
}
