import { z } from 'zod';
import type { AccessKey, Account } from '@holdfast/contracts';
import { HoldfastError } from '@holdfast/contracts';
import { onAccount, onRootKeys, onStore } from '../access.js';
import { route, type AdminRoute } from '../route.js';
import * as shapes from '../schemas.js';

const OfAccount = z.strictObject({ accountId: shapes.accountId });
const OfRootKey = z.strictObject({ accountId: shapes.accountId, accessKeyId: shapes.accessKeyId });

export const shownAccount = ({ createdAtMs, ...account }: Account) => ({
  ...account,
  createdAt: new Date(createdAtMs).toISOString(),
});

export function shownKey({ createdAtMs, lastUsedAtMs, ...key }: AccessKey) {
  const shown = { ...key, createdAt: new Date(createdAtMs).toISOString() };
  return lastUsedAtMs === undefined ? shown : { ...shown, lastUsedAt: new Date(lastUsedAtMs).toISOString() };
}

/** Keys of the root of an account are keys of a user without a name. */
const ROOT = '';

export const ACCOUNT_ROUTES: readonly AdminRoute[] = [
  route({
    id: 'createAccount',
    method: 'POST',
    path: '/admin/v1/accounts',
    tag: 'accounts',
    summary: 'Make an account. It has no key yet.',
    access: onStore('holdfast:CreateAccount'),
    body: shapes.NewAccount,
    status: 201,
    answer: shapes.Account,
    errors: ['EntityAlreadyExists'],
    handle: async ({ ports, call, body }) => shownAccount(await ports.administration.createAccount(call, body)),
  }),
  route({
    id: 'listAccounts',
    method: 'GET',
    path: '/admin/v1/accounts',
    tag: 'accounts',
    summary: 'Accounts in the order of their names.',
    access: onStore('holdfast:ListAccounts'),
    query: shapes.Page,
    status: 200,
    answer: shapes.AccountPage,
    async handle({ ports, call, query }) {
      const { accounts, ...more } = await ports.administration.listAccounts(call, query);
      return { accounts: accounts.map(shownAccount), ...more };
    },
  }),
  route({
    id: 'getAccount',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}',
    tag: 'accounts',
    summary: 'One account.',
    access: onAccount('holdfast:GetAccount'),
    params: OfAccount,
    status: 200,
    answer: shapes.Account,
    errors: ['NoSuchEntity'],
    handle: async ({ ports, call, path }) => shownAccount(await ports.administration.getAccount(call, path)),
  }),
  route({
    id: 'deleteAccount',
    method: 'DELETE',
    path: '/admin/v1/accounts/{accountId}',
    tag: 'accounts',
    summary: 'Delete an account that has no users, groups, policies, keys or buckets.',
    access: onStore('holdfast:DeleteAccount'),
    params: OfAccount,
    status: 204,
    errors: ['NoSuchEntity', 'DeleteConflict'],
    async handle({ ports, call, path }) {
      const { buckets } = await ports.metadata.listBuckets(call, { ...path, prefix: '', after: '', limit: 1 });
      if (buckets.length > 0) throw new HoldfastError('DeleteConflict', 'The account has buckets.');
      await ports.administration.deleteAccount(call, path);
    },
  }),
  route({
    id: 'createRootKey',
    method: 'POST',
    path: '/admin/v1/accounts/{accountId}/keys',
    tag: 'keys',
    summary: "Make a key of the account's root; two at most.",
    access: onRootKeys('iam:CreateAccessKey'),
    params: OfAccount,
    status: 201,
    answer: shapes.NewAccessKey,
    noStore: true,
    errors: ['NoSuchEntity', 'LimitExceeded'],
    async handle({ ports, call, path }) {
      const made = await ports.administration.createAccessKey(call, { ...path, userName: ROOT });
      return { accessKey: shownKey(made.accessKey), secretAccessKey: made.secretAccessKey };
    },
  }),
  route({
    id: 'listRootKeys',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/keys',
    tag: 'keys',
    summary: "Keys of the account's root.",
    access: onRootKeys('iam:ListAccessKeys'),
    params: OfAccount,
    query: shapes.Page,
    status: 200,
    answer: shapes.AccessKeyPage,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path, query }) {
      const page = await ports.administration.listAccessKeys(call, { ...path, userName: ROOT, ...query });
      const { accessKeys, ...more } = page;
      return { accessKeys: accessKeys.map(shownKey), ...more };
    },
  }),
  route({
    id: 'setRootKeyStatus',
    method: 'PUT',
    path: '/admin/v1/accounts/{accountId}/keys/{accessKeyId}',
    tag: 'keys',
    summary: "Make a key of the account's root active or inactive.",
    access: onRootKeys('iam:UpdateAccessKey'),
    params: OfRootKey,
    body: shapes.KeyStatus,
    status: 204,
    errors: ['NoSuchEntity'],
    handle: ({ ports, call, path, body }) =>
      ports.administration.setAccessKeyStatus(call, { ...path, userName: ROOT, ...body }),
  }),
  route({
    id: 'deleteRootKey',
    method: 'DELETE',
    path: '/admin/v1/accounts/{accountId}/keys/{accessKeyId}',
    tag: 'keys',
    summary: "Delete a key of the account's root.",
    access: onRootKeys('iam:DeleteAccessKey'),
    params: OfRootKey,
    status: 204,
    errors: ['NoSuchEntity'],
    handle: ({ ports, call, path }) => ports.administration.deleteAccessKey(call, { ...path, userName: ROOT }),
  }),
];
