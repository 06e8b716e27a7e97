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
  readonly headers: HeaderList;
  /** As shown in `x-amz-request-id`. */
  readonly requestId: string;
}

/** @throws HoldfastError InvalidURI, KeyTooLongError, InvalidRequest, InvalidBucketName */
export function parseRequest(raw: IncomingMessage, headers: HeaderList, requestId: string): S3Request {
  return { method: raw.method ?? '', target: parseRequestTarget(raw.url ?? ''), headers, requestId };
}

/** The row of the operation table. @throws HoldfastError MethodNotAllowed, NotImplemented */
export function resolveRow(request: S3Request): S3Operation {
  const { bucket, key, query } = request.target;
  return resolveOperation({ method: request.method, bucket, key, query, headers: request.headers });
}
