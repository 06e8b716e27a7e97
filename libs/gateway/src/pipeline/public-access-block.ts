import { HoldfastError } from '@holdfast/contracts';
import { PUBLIC_ACCESS_SWITCHES, type PublicAccessBlock } from '@holdfast/s3-protocol';

export function encodeStoredAccessBlock(block: PublicAccessBlock): string {
  return JSON.stringify(block);
}

/** @throws HoldfastError InternalError for what was not encoded here */
export function decodeStoredAccessBlock(document: string): PublicAccessBlock {
  const block = JSON.parse(document) as Partial<PublicAccessBlock>;
  if (PUBLIC_ACCESS_SWITCHES.every((name) => typeof block[name] === 'boolean')) return block as PublicAccessBlock;
  throw new HoldfastError('InternalError', 'A stored public access block is not understood.');
}
