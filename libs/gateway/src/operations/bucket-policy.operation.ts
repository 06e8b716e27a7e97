import { HoldfastError, type BucketRecord } from '@holdfast/contracts';
import { checkBucketPolicy, isPublicPolicy } from '@holdfast/iam-policy';
import { encodePolicyStatus } from '@holdfast/s3-protocol';
import { decodeBucketPolicy, encodeBucketPolicy } from '../pipeline/bucket-policy-document.js';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation } from '../pipeline/operation.js';
import { decodeStoredAccessBlock } from '../pipeline/public-access-block.js';
import { emptyReply, xmlReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { bucketDocument, changeBucket, setBucketDocument } from './own-bucket.js';

/** More than a policy may have, so that one which is too long is refused as a policy. */
const BODY_BYTES_MAX = 64 * 1024;

interface PutPolicyInput {
  readonly plan: BodyPlan;
  readonly removesSelf: boolean;
}

export const getBucketPolicy = defineOperation<void, string>({
  name: 'GetBucketPolicy',
  decode: () => undefined,
  async handle(_input, exchange) {
    const document = await bucketDocument(exchange, 'policy', refuseOtherAccounts);
    if (document === undefined) {
      throw new HoldfastError('NoSuchBucketPolicy', undefined, { BucketName: exchange.bucketName });
    }
    return decodeBucketPolicy(document).text;
  },
  encode: (text) => ({ status: 200, headers: ['Content-Type', 'application/json'], body: text }),
});

export const putBucketPolicy = defineOperation<PutPolicyInput, void>({
  name: 'PutBucketPolicy',
  decode(exchange) {
    const confirmed = exchange.request.headers.get('x-amz-confirm-remove-self-bucket-access');
    return { plan: documentPlan(exchange, BODY_BYTES_MAX), removesSelf: confirmed?.toLowerCase() === 'true' };
  },
  async handle({ plan, removesSelf }, exchange) {
    const text = textOf(await readDocument(exchange, plan));
    checkBucketPolicy(text, exchange.bucketName);
    const isPublic = isPublicPolicy(text);
    await changeBucket(exchange, async (bucket) => {
      refuseOtherAccounts(exchange, bucket);
      if (isPublic && (await blocksPublicPolicies(exchange, bucket))) throw new HoldfastError('AccessDenied');
      return setBucketDocument(exchange, bucket, 'policy', encodeBucketPolicy({ text, removesSelf }));
    });
  },
  encode: () => emptyReply(204),
});

export const deleteBucketPolicy = defineOperation<void, void>({
  name: 'DeleteBucketPolicy',
  decode: () => undefined,
  handle: (_input, exchange) =>
    changeBucket(exchange, (bucket) => {
      refuseOtherAccounts(exchange, bucket);
      return setBucketDocument(exchange, bucket, 'policy');
    }),
  encode: () => emptyReply(204),
});

/** A bucket without a policy is not public, and that is an answer. */
export const getBucketPolicyStatus = defineOperation<void, boolean>({
  name: 'GetBucketPolicyStatus',
  decode: () => undefined,
  async handle(_input, exchange) {
    const document = await bucketDocument(exchange, 'policy');
    return document !== undefined && isPublicPolicy(decodeBucketPolicy(document).text);
  },
  encode: (isPublic) => xmlReply(encodePolicyStatus(isPublic)),
});

/** Whatever a policy allows them: who may be let in is for the account to say. */
function refuseOtherAccounts({ caller, request }: Exchange, { accountId }: BucketRecord): void {
  if (caller.accountId === accountId) return;
  throw new HoldfastError('MethodNotAllowed', undefined, { Method: request.method, ResourceType: 'BUCKETPOLICY' });
}

function textOf(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw new HoldfastError('MalformedPolicy', 'The policy is not in UTF-8.', {}, { cause });
  }
}

async function blocksPublicPolicies(exchange: Exchange, bucket: BucketRecord): Promise<boolean> {
  if (!bucket.configurations.includes('public-access-block')) return false;
  const request = { bucketId: bucket.bucketId, kind: 'public-access-block' } as const;
  const { document } = await exchange.services.metadata.bucketConfiguration(exchange.controlCall(), request);
  return document !== undefined && decodeStoredAccessBlock(document).BlockPublicPolicy;
}
