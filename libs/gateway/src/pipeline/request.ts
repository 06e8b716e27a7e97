import type { IncomingMessage } from 'node:http';
import {
  parseRequestTarget,
  resolveOperation,
  type HeaderList,
  type RequestTarget,
  type S3Operation,
} from '@holdfast/s3-protocol';

/** One request as parsed once: the verifier, the router and the operations all read this and nothing else. */
export interface S3Request {
  readonly method: string;
  readonly target: RequestTarget;
  /** What the operation obeys. A presigned URL may carry such headers in its query. */
  readonly headers: HeaderList;
  /**
   * What came as headers. They alone describe the body: a checksum in a presigned URL was made before there was a body (SDKs
   * put that of an empty one there), and S3 does not verify it either.
   */
  readonly sent: HeaderList;
  /** As shown in `x-amz-request-id`. */
  readonly requestId: string;
  /** Wall time of the arrival, before anybody was asked anything. */
  readonly arrivedAtMs: number;
}

/** @throws HoldfastError InvalidURI, KeyTooLongError, InvalidRequest, InvalidBucketName */
export function parseRequest(
  raw: IncomingMessage,
  headers: HeaderList,
  requestId: string,
  arrivedAtMs: number,
): S3Request {
  const target = parseRequestTarget(raw.url ?? '');
  return { method: raw.method ?? '', target, headers, sent: headers, requestId, arrivedAtMs };
}

/** The row of the operation table. @throws HoldfastError MethodNotAllowed, NotImplemented */
export function resolveRow(request: S3Request): S3Operation {
  const { bucket, key, query } = request.target;
  return resolveOperation({ method: request.method, bucket, key, query, headers: request.headers });
}
