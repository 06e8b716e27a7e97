import type { Clock } from '@holdfast/stdx';
import { HoldfastError, type Proof } from '@holdfast/contracts';
import {
  canonicalRequest,
  checkExpiryV2,
  checkTime,
  effectiveHeaders,
  parseCredential,
  payloadMode,
  stringToSign,
  stringToSignV2,
  type HeaderList,
  type HeaderV4Credential,
  type PayloadMode,
  type QueryV2Credential,
  type QueryV4Credential,
  type RequestCredential,
  type SignatureV2,
  type SignedRequest,
} from '@holdfast/s3-protocol';
import type { S3Request } from '../request.js';

/** Who the request says it is from, in the form that the identity service judges, and how its body is protected. */
export interface Claim {
  readonly proof: Proof;
  readonly payload: PayloadMode;
  /** Present for SigV4 in the Authorization header: what signed chunks are chained to. */
  readonly credential?: HeaderV4Credential;
  /** What the operation is to obey: a presigned URL may carry headers in its query. */
  readonly headers: HeaderList;
}

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
    const signed: SignedRequest = {
      method: request.method,
      rawPath: request.target.rawPath,
      query: request.target.query,
      headers: request.headers,
    };
    const credential: RequestCredential = parseCredential(signed, {
      region: this.region,
      signatureV2: this.signatureV2,
    });
    const payload = payloadMode(credential, request.headers);
    const headers = effectiveHeaders(signed, credential);
    switch (credential.kind) {
      case 'anonymous':
        return { proof: { kind: 'anonymous' }, payload, headers };
      case 'bearer':
        return { proof: { kind: 'bearer', token: credential.token }, payload, headers };
      case 'header-v4':
        return { proof: this.signatureProof(signed, credential, payload), payload, headers, credential };
      case 'query-v4':
        return { proof: this.signatureProof(signed, credential, payload), payload, headers };
      case 'query-v2':
        return { proof: this.signatureV2Proof(signed, credential), payload, headers };
    }
  }

  private signatureProof(
    signed: SignedRequest,
    credential: HeaderV4Credential | QueryV4Credential,
    payload: PayloadMode,
  ): Proof {
    checkTime(credential, this.clock.nowMs());
    // Temporary credentials are not issued, so no session token can be one of ours.
    if (credential.sessionToken !== undefined) throw new HoldfastError('InvalidToken');
    return {
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

  private signatureV2Proof(signed: SignedRequest, credential: QueryV2Credential): Proof {
    checkExpiryV2(credential, this.clock.nowMs());
    const { accessKeyId, signature } = credential;
    return { kind: 'signature-v2', accessKeyId, stringToSign: stringToSignV2(signed, credential), signature };
  }
}
