import { HoldfastError, type WriteConditions } from '@holdfast/contracts';
import { defineOperation, resourceOf } from '../pipeline/operation.js';
import { emptyReply } from '../pipeline/reply.js';
import { onOwnBucket } from './own-bucket.js';
import { versionArgument } from './request-arguments.js';
import { refuseUnservedFeatures } from './unserved-features.js';
import { writeConditionsOf } from './write-conditions.js';

interface DeleteObjectInput {
  readonly versionId?: string;
  readonly conditions: WriteConditions;
}

export const deleteObject = defineOperation<DeleteObjectInput, { readonly markerVersionId?: string }>({
  name: 'DeleteObject',
  access(request, row) {
    const action = request.target.query.has('versionId') ? 's3:DeleteObjectVersion' : row.action;
    return { required: [{ action, resource: resourceOf(request) }] };
  },
  decode({ request }) {
    refuseUnservedFeatures(request.headers);
    const { ifMatch } = writeConditionsOf(request.headers);
    const versionId = versionArgument(request.target.query);
    return { conditions: ifMatch === undefined ? {} : { ifMatch }, ...(versionId === undefined ? {} : { versionId }) };
  },
  async handle({ versionId, conditions }, exchange) {
    const { metadata } = exchange.services;
    const item = { key: exchange.key, conditions, ...(versionId === undefined ? {} : { versionId }) };
    const answer = await onOwnBucket(exchange, async ({ bucketId, revision }) => {
      const request = { bucketId, bucketRevision: revision, items: [item] };
      const { outcomes } = await metadata.deleteObjects(exchange.controlCall(), request);
      return outcomes[0];
    });
    switch (answer.outcome) {
      case 'deleted':
        return answer;
      case 'precondition-failed':
        throw new HoldfastError('PreconditionFailed');
      case 'no-bucket':
        throw new HoldfastError('NoSuchBucket', undefined, { BucketName: exchange.bucketName });
      case 'late':
        throw new HoldfastError('ServiceUnavailable');
    }
  },
  encode({ markerVersionId }, _exchange, { versionId }) {
    if (markerVersionId !== undefined) {
      return emptyReply(204, ['x-amz-delete-marker', 'true', 'x-amz-version-id', markerVersionId]);
    }
    return emptyReply(204, versionId === undefined || versionId === 'null' ? [] : ['x-amz-version-id', versionId]);
  },
});
