import { HoldfastError, NULL_VERSION, type DeleteConditions, type DeleteOutcome } from '@holdfast/contracts';
import { defineOperation, resourceOf } from '../pipeline/operation.js';
import { emptyReply } from '../pipeline/reply.js';
import { onOwnBucket } from './own-bucket.js';
import { versionArgument } from './request-arguments.js';
import { refuseUnservedFeatures } from './unserved-features.js';
import { DELETE_CONDITION_PREFIX, deleteConditionsOf, matchChecks } from './write-conditions.js';

interface DeleteObjectInput {
  readonly versionId?: string;
  readonly conditions: DeleteConditions;
}

export const deleteObject = defineOperation<DeleteObjectInput, DeleteOutcome>({
  name: 'DeleteObject',
  access(request, row) {
    const action = request.target.query.has('versionId') ? 's3:DeleteObjectVersion' : row.action;
    return { required: [{ action, resource: resourceOf(request) }, ...matchChecks(request)] };
  },
  decode({ request }) {
    refuseUnservedFeatures(request.headers, DELETE_CONDITION_PREFIX);
    const versionId = versionArgument(request.target.query);
    const conditions = deleteConditionsOf(request.headers);
    return { conditions, ...(versionId === undefined ? {} : { versionId }) };
  },
  async handle(input, exchange) {
    const { metadata } = exchange.services;
    const item = { key: exchange.key, ...input };
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
      case 'bucket-changed':
        throw new HoldfastError('OperationAborted');
      case 'late':
        throw new HoldfastError('ServiceUnavailable');
    }
  },
  encode({ marker, removedMarker }, _exchange, { versionId }) {
    const headers = marker !== undefined || removedMarker ? ['x-amz-delete-marker', 'true'] : [];
    const shown = marker === undefined ? versionId : marker.isNull ? NULL_VERSION : marker.versionId;
    if (shown !== undefined) headers.push('x-amz-version-id', shown);
    return emptyReply(204, headers);
  },
});
