import { HoldfastError } from '@holdfast/contracts';

/** What is stored of a bucket policy. */
export interface StoredBucketPolicy {
  /** Byte for byte as it was put. */
  readonly text: string;
  /** Put with x-amz-confirm-remove-self-bucket-access: what it denies, it denies the account's root too. */
  readonly removesSelf: boolean;
}

export function encodeBucketPolicy({ text, removesSelf }: StoredBucketPolicy): string {
  return JSON.stringify({ text, removesSelf });
}

/** @throws HoldfastError InternalError for what was not encoded here */
export function decodeBucketPolicy(document: string): StoredBucketPolicy {
  const { text, removesSelf } = JSON.parse(document) as Partial<StoredBucketPolicy>;
  if (typeof text !== 'string' || typeof removesSelf !== 'boolean') {
    throw new HoldfastError('InternalError', 'A stored bucket policy is not understood.');
  }
  return { text, removesSelf };
}
