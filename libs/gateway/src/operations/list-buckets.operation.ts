import type { BucketRecord } from '@holdfast/contracts';
import { encodeListAllMyBuckets } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { decodeListPosition, encodeListPosition } from './list-position.codec.js';
import { countArgument, invalidArgument, textArgument } from './request-arguments.js';

const PAGE_MAX = 10_000;
const BUCKET_NAME_MAX = 255;

interface ListBucketsInput {
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
  /** Regions are told only to clients that ask in pages. */
  readonly paged: boolean;
}

interface ListBucketsOutput {
  readonly buckets: readonly BucketRecord[];
  readonly truncated: boolean;
}

export const listBuckets = defineOperation<ListBucketsInput, ListBucketsOutput>({
  name: 'ListBuckets',
  decode({ request }) {
    const { query } = request.target;
    const limit = countArgument(query, 'max-buckets', PAGE_MAX);
    if (limit === 0) invalidArgument('max-buckets', '0');
    const token = query.get('continuation-token');
    const position = token === undefined || token === '' ? undefined : decodeListPosition(token);
    if (position?.kind === 'prefix' || (position?.afterKey.length ?? 0) > BUCKET_NAME_MAX) {
      invalidArgument('continuation-token', token ?? '');
    }
    return {
      prefix: textArgument(query, 'prefix', BUCKET_NAME_MAX),
      after: position?.afterKey ?? '',
      limit,
      paged: query.has('max-buckets') || query.has('continuation-token'),
    };
  },
  handle({ prefix, after, limit }, exchange) {
    const { accountId } = exchange.caller;
    return exchange.services.metadata.listBuckets(exchange.controlCall(), { accountId, prefix, after, limit });
  },
  encode({ buckets, truncated }, exchange, input) {
    const { canonicalId, displayName } = exchange.caller;
    const last = buckets.at(-1);
    return xmlReply(
      encodeListAllMyBuckets({
        owner: { id: canonicalId, displayName },
        buckets: buckets.map(({ name, createdAtMs }) =>
          input.paged ? { name, createdAtMs, region: exchange.services.region } : { name, createdAtMs },
        ),
        ...(input.prefix === '' ? {} : { prefix: input.prefix }),
        ...(truncated && last !== undefined
          ? { continuationToken: encodeListPosition({ kind: 'key', afterKey: last.name }) }
          : {}),
      }),
    );
  },
});
