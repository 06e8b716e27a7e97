import type { AccessCheck } from '@holdfast/contracts';
import type { S3Operation } from '@holdfast/s3-protocol';
import type { Exchange } from './exchange.js';
import type { Reply } from './reply.js';
import type { S3Request } from './request.js';

/** What an operation asks the identity service, all in one call. */
export interface AccessQuestion {
  /** Each must be allowed. */
  readonly required: readonly AccessCheck[];
  /** Asked beside them; the answers stand in `Exchange.asked`. */
  readonly optional?: readonly AccessCheck[];
  /**
   * Whether the first optional check, the listing of the key, is enough to learn that the key is missing: no more than a
   * listing says. `handle` then judges the bucket's record by `BucketAccess.checkAbsence`.
   */
  readonly tellsAbsence?: boolean;
}

/** One S3 operation: what it asks for, what it reads from the request, what it does, what it answers. */
export interface OperationSteps<I, O> {
  /** As in the operation table. */
  readonly name: string;
  /** Without it: the action of the table row on the bucket or key that the request names. */
  access?(request: S3Request, row: S3Operation): AccessQuestion;
  /** Every bad value is an S3 error here, before any other service is called. */
  decode(exchange: Exchange): I;
  handle(input: I, exchange: Exchange): Promise<O>;
  encode(output: O, exchange: Exchange, input: I): Reply;
}

/** An operation with its input and output types closed over. */
export interface Operation {
  readonly name: string;
  access(request: S3Request, row: S3Operation): AccessQuestion;
  run(exchange: Exchange): Promise<Reply>;
}

const ARN = 'arn:aws:s3:::';

/** `arn:aws:s3:::bucket/key`, `arn:aws:s3:::bucket`, or all buckets. */
export function resourceOf(request: S3Request): string {
  const { bucket, key } = request.target;
  if (bucket === undefined) return `${ARN}*`;
  return key === undefined ? ARN + bucket : `${ARN}${bucket}/${key}`;
}

/** The bucket that the request names, also where it names a key in it. */
export function bucketResourceOf(request: S3Request): string {
  return ARN + (request.target.bucket ?? '*');
}

/** Whether the caller may list the key that the request names: that decides if it may learn that it does not exist. */
export function listingCheck(request: S3Request): AccessCheck {
  const { key } = request.target;
  const keys = key === undefined ? {} : { keys: { 's3:prefix': [key] } };
  return { action: 's3:ListBucket', resource: bucketResourceOf(request), ...keys };
}

export function defineOperation<I, O>(steps: OperationSteps<I, O>): Operation {
  return {
    name: steps.name,
    access: (request, row) =>
      steps.access?.(request, row) ?? { required: [{ action: row.action, resource: resourceOf(request) }] },
    run: async (exchange) => {
      const input = steps.decode(exchange);
      return steps.encode(await steps.handle(input, exchange), exchange, input);
    },
  };
}
