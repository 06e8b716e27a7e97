import type { BucketRecord } from '@holdfast/contracts';
import type { XmlOwner } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';

/** The account that owns the bucket, as listings show it; only callers from elsewhere cost a question. Errors: ServiceUnavailable. */
export async function ownerOf(exchange: Exchange, { accountId }: BucketRecord): Promise<XmlOwner> {
  const { caller, services } = exchange;
  if (caller.accountId === accountId) return { id: caller.canonicalId, displayName: caller.displayName };
  const { accounts } = await services.identity.describeAccounts(exchange.controlCall(), { accountIds: [accountId] });
  return { id: accounts[0]?.canonicalId ?? '', displayName: accounts[0]?.displayName ?? '' };
}
