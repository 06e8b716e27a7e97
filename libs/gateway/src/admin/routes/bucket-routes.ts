import { z } from 'zod';
import { HoldfastError, type BucketRecord, type CallContext } from '@holdfast/contracts';
import { onAccount, onBucket } from '../access.js';
import type { AdminPorts } from '../admin-ports.js';
import { route, type AdminRoute } from '../route.js';
import * as shapes from '../schemas.js';

const OfAccount = z.strictObject({ accountId: shapes.accountId });
const OfBucket = z.strictObject({ accountId: shapes.accountId, bucketName: shapes.bucketName });
const NOTHING = { objects: 0, bytes: 0 };

/** Buckets with what they hold: one question for the usage of all. */
async function shownBuckets({ metadata }: AdminPorts, call: CallContext, buckets: readonly BucketRecord[]) {
  const bucketIds = buckets.map(({ bucketId }) => bucketId);
  const { usage } = await metadata.bucketUsage(call, { bucketIds });
  const byId = new Map(usage.map(({ bucketId, objects, bytes }) => [bucketId, { objects, bytes }]));
  return buckets.map(({ bucketId, name, accountId, createdAtMs, homeSetId, profile, versioning, configurations }) => ({
    name,
    accountId,
    createdAt: new Date(createdAtMs).toISOString(),
    homeSetId,
    profile,
    versioning,
    configurations,
    usage: byId.get(bucketId) ?? NOTHING,
  }));
}

export const BUCKET_ROUTES: readonly AdminRoute[] = [
  route({
    id: 'listBuckets',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/buckets',
    tag: 'buckets',
    summary: 'Buckets of the account in the order of their names, with their usage.',
    access: onAccount('holdfast:ListBuckets'),
    params: OfAccount,
    query: shapes.Page,
    status: 200,
    answer: shapes.BucketPage,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path, query }) {
      await ports.administration.getAccount(call, path);
      const { after = '', limit } = query;
      // A bucket's name has at most 255 characters: nothing comes after a longer one that does not after its beginning.
      const asked = { ...path, prefix: '', after: after.slice(0, 255), limit };
      const { buckets, truncated } = await ports.metadata.listBuckets(call, asked);
      const shown = await shownBuckets(ports, call, buckets);
      return truncated ? { buckets: shown, next: shown[shown.length - 1].name } : { buckets: shown };
    },
  }),
  route({
    id: 'getBucket',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/buckets/{bucketName}',
    tag: 'buckets',
    summary: 'One bucket of the account, with its usage.',
    access: onBucket('holdfast:GetBucket'),
    params: OfBucket,
    status: 200,
    answer: shapes.Bucket,
    errors: ['NoSuchBucket'],
    async handle({ ports, call, path }) {
      const { bucket } = await ports.metadata.findBucket(call, { name: path.bucketName });
      // Names are shared by all accounts: whoever may see those of one must not learn who has the others.
      if (bucket?.accountId !== path.accountId) throw new HoldfastError('NoSuchBucket');
      return (await shownBuckets(ports, call, [bucket]))[0];
    },
  }),
  route({
    id: 'getAccountUsage',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/usage',
    tag: 'buckets',
    summary: 'What the buckets of the account hold together.',
    access: onAccount('holdfast:GetUsage'),
    params: OfAccount,
    status: 200,
    answer: shapes.AccountUsage,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path }) {
      await ports.administration.getAccount(call, path);
      return ports.metadata.accountUsage(call, path);
    },
  }),
];
