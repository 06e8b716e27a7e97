import {
  parseRequestTarget,
  resolveOperation,
  type HeaderList,
  type RequestTarget,
  type S3Operation,
  type UploadForm,
} from '@holdfast/s3-protocol';
import type { Arrival } from './pipeline.js';

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
  /** The client's address: the condition key `aws:SourceIp`. */
  readonly sourceIp: string;
  /** The client's connection by a name that no other has; empty where it is not known. */
  readonly connection: string;
  /** Present where the request is a form upload: then `target` has the key, and `headers` and `sent` what its fields say. */
  readonly form?: UploadForm;
}

/** @throws HoldfastError InvalidURI, KeyTooLongError, InvalidRequest, InvalidBucketName */
export function parseRequest(arrival: Arrival, arrivedAtMs: number): S3Request {
  const { raw, headers, requestId, sourceIp, connection, hostBucket } = arrival;
  const target = parseRequestTarget(raw.url ?? '', hostBucket);
  return { method: raw.method ?? '', target, headers, sent: headers, requestId, arrivedAtMs, sourceIp, connection };
}

/** The row of the operation table. @throws HoldfastError MethodNotAllowed, NotImplemented */
export function resolveRow(request: S3Request): S3Operation {
  const { bucket, key, query } = request.target;
  return resolveOperation({ method: request.method, bucket, key, query, headers: request.headers });
}
