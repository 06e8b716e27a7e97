import type { BucketRecord } from '@holdfast/contracts';
import {
  decodeVersioning,
  encodeVersioning,
  VERSIONING_BODY_MAX_BYTES,
  type VersioningStatus,
} from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply, xmlReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { changeBucket } from './own-bucket.js';

const STATUS_OF: Readonly<Record<BucketRecord['versioning'], VersioningStatus | undefined>> = {
  unversioned: undefined,
  enabled: 'Enabled',
  suspended: 'Suspended',
};

export const getBucketVersioning = defineOperation<void, BucketRecord>({
  name: 'GetBucketVersioning',
  decode: () => undefined,
  handle: (_input, exchange) => exchange.services.buckets.current(exchange),
  encode: ({ versioning }) => xmlReply(encodeVersioning(STATUS_OF[versioning])),
});

export const putBucketVersioning = defineOperation<BodyPlan, void>({
  name: 'PutBucketVersioning',
  decode: (exchange) => documentPlan(exchange, VERSIONING_BODY_MAX_BYTES),
  async handle(plan, exchange) {
    const status = decodeVersioning(await readDocument(exchange, plan));
    const versioning = status === 'Enabled' ? 'enabled' : 'suspended';
    await changeBucket(exchange, ({ bucketId, revision }) =>
      exchange.services.metadata.setVersioning(exchange.controlCall(), {
        bucketId,
        bucketRevision: revision,
        versioning,
      }),
    );
  },
  encode: () => emptyReply(200),
});
