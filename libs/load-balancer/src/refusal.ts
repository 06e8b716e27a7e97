import { encodeError, toClientError } from '@holdfast/s3-protocol';
import type { RawRefusal } from '@holdfast/service-host';

interface RefusedRequest {
  /** The path that was asked for. */
  readonly resource?: string;
  /** Another status than that of the error. */
  readonly status?: number;
}

/** How a door answers what it does not pass on. */
export type EncodeRefusal = (error: unknown, requestId: string, refused?: RefusedRequest) => RawRefusal;

/** The XML of S3. */
export function s3Refusal(error: unknown, requestId: string, refused: RefusedRequest = {}): RawRefusal {
  const { status, body } = encodeError(error, { resource: refused.resource ?? '', requestId });
  return { status: refused.status ?? status, contentType: 'application/xml', body };
}

/** application/problem+json (RFC 9457), as the admin port behind the door answers. */
export function problemRefusal(error: unknown, _requestId: string, refused: RefusedRequest = {}): RawRefusal {
  const { code, message, ...known } = toClientError(error);
  const status = refused.status ?? known.status;
  const body = JSON.stringify({ type: 'about:blank', title: code, status, detail: message });
  return { status, contentType: 'application/problem+json', body };
}
