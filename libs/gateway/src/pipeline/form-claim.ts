import { createHash } from 'node:crypto';
import { HoldfastError, LIMITS } from '@holdfast/contracts';
import { formHeaders, formKey, readUploadForm } from '@holdfast/s3-protocol';
import type { Authenticator, Claim } from './authentication/authenticator.js';
import type { BodySource } from './exchange.js';
import type { S3Request } from './request.js';

/** A request, who it says it is from, and the bytes that are for its operation. */
export interface Claimed {
  readonly claim: Claim;
  readonly request: S3Request;
  readonly body: BodySource;
}

/** Room for the fields and boundaries of a form around the largest file. */
const FORM_BYTES_MAX = LIMITS.putObjectBytesMax + 1024 * 1024;
/** Headers of the request itself that say nothing about the object: all others have to be fields. */
const KEPT_HEADERS = ['host', 'origin', 'referer', 'user-agent', 'x-amz-expected-bucket-owner'];

/**
 * Reads a form up to its file and turns it into the request that it stands for: its key, its fields as headers, its file as
 * the body. Nothing is authorised yet, and no byte of the file was asked for.
 * @throws HoldfastError MissingContentLength, EntityTooLarge, InvalidRequest (framed chunks), and as `readUploadForm`,
 *   `formKey`, `formHeaders` and `Authenticator.claimOfForm`
 */
export async function openForm(
  authenticator: Authenticator,
  claim: Claim,
  request: S3Request,
  body: BodySource,
): Promise<Claimed> {
  const { sent, target } = request;
  if (claim.payload.kind === 'chunked') throw new HoldfastError('InvalidRequest', 'A form cannot be framed in chunks.');
  const form = await readUploadForm(bodyOf(claim, body), sent.get('content-type') ?? '', lengthOf(request));
  const proof = authenticator.claimOfForm(claim, form);
  const headers = formHeaders(form, sent, KEPT_HEADERS);
  return {
    claim: { ...claim, proof, payload: { kind: 'unsigned' }, headers },
    request: { ...request, target: { ...target, key: formKey(form) }, headers, sent: headers, form },
    body: { chunks: form.file },
  };
}

function lengthOf({ sent }: S3Request): number {
  const sizeBytes = Number(sent.get('content-length') ?? Number.NaN);
  if (!Number.isSafeInteger(sizeBytes)) throw new HoldfastError('MissingContentLength');
  if (sizeBytes <= FORM_BYTES_MAX) return sizeBytes;
  throw new HoldfastError('EntityTooLarge', undefined, {
    ProposedSize: String(sizeBytes),
    MaxSizeAllowed: String(LIMITS.putObjectBytesMax),
  });
}

/** Where the request was signed with the digest of its body, the form is held against it at its end. */
function bodyOf({ payload }: Claim, body: BodySource): AsyncIterable<Buffer> {
  return payload.kind === 'sha256' ? verified(body, payload.sha256Hex) : body.chunks();
}

async function* verified(body: BodySource, sha256Hex: string): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256');
  for await (const chunk of body.chunks()) {
    hash.update(chunk);
    yield chunk;
  }
  const computed = hash.digest('hex');
  if (computed === sha256Hex) return;
  throw new HoldfastError('XAmzContentSHA256Mismatch', undefined, {
    ClientComputedContentSHA256: sha256Hex,
    S3ComputedContentSHA256: computed,
  });
}
