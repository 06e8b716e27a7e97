import { HoldfastError } from '@holdfast/contracts';
import { BUCKET_CONFIGURATION_MAX_BYTES, decodeCreateBucketConfiguration } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { refuseUnservedFeatures } from './unserved-features.js';

const ASK_METADATA_STEP = 5;
/** Every region answers to this name too: clients of other stores say it. */
const ANY_REGION = 'default';
const OWNERSHIP_WITHOUT_ACLS = 'BucketOwnerEnforced';

export const createBucket = defineOperation<BodyPlan, void>({
  name: 'CreateBucket',
  decode(exchange) {
    const { headers } = exchange.request;
    refuseUnservedFeatures(headers);
    const ownership = headers.get('x-amz-object-ownership');
    if (ownership !== undefined && ownership !== OWNERSHIP_WITHOUT_ACLS) {
      throw new HoldfastError('NotImplemented', `Object ownership ${ownership.slice(0, 64)} is not implemented.`);
    }
    return documentPlan(exchange, BUCKET_CONFIGURATION_MAX_BYTES);
  },
  async handle(plan, exchange) {
    const { metadata, region } = exchange.services;
    const { locationConstraint = '' } = decodeCreateBucketConfiguration(await readDocument(exchange, plan));
    if (locationConstraint !== '' && locationConstraint !== region && locationConstraint !== ANY_REGION) {
      throw new HoldfastError('InvalidLocationConstraint', undefined, { LocationConstraint: locationConstraint });
    }
    exchange.step(ASK_METADATA_STEP);
    const { accountId } = exchange.caller;
    const name = exchange.bucketName;
    const { outcome, bucket } = await metadata.createBucket(exchange.controlCall(), {
      name,
      accountId,
      arrivedAtMs: exchange.request.arrivedAtMs,
      connection: exchange.request.connection,
      ...(locationConstraint === ANY_REGION ? { location: ANY_REGION } : {}),
    });
    if (outcome === 'created') return;
    if (bucket.accountId !== accountId) throw new HoldfastError('BucketAlreadyExists', undefined, { BucketName: name });
    // Of concurrent creates one is answered 200; the others may try again.
    if (outcome === 'in-progress') throw new HoldfastError('OperationAborted');
    // The oldest region of S3 answers 200 to the owner, the others 409.
    if (region !== 'us-east-1') throw new HoldfastError('BucketAlreadyOwnedByYou', undefined, { BucketName: name });
  },
  encode: (_output, exchange) => emptyReply(200, ['Location', `/${exchange.bucketName}`]),
});
