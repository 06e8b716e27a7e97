import { z } from 'zod';
import { HoldfastError, type Caller, type ConditionKeys, type Group, type User } from '@holdfast/contracts';
import { onIdentities, onUser } from '../access.js';
import { route, type AdminRoute } from '../route.js';
import * as shapes from '../schemas.js';
import { shownKey } from './account-routes.js';

const OfAccount = z.strictObject({ accountId: shapes.accountId });
const OfUser = z.strictObject({ accountId: shapes.accountId, userName: shapes.userName });
const OfUserKey = z.strictObject({ ...OfUser.shape, accessKeyId: shapes.accessKeyId });

export const shownUser = ({ createdAtMs, ...user }: User) => ({
  ...user,
  createdAt: new Date(createdAtMs).toISOString(),
});
export const shownGroup = ({ createdAtMs, ...group }: Group) => ({
  ...group,
  createdAt: new Date(createdAtMs).toISOString(),
});

export const USER_ROUTES: readonly AdminRoute[] = [
  route({
    id: 'createUser',
    method: 'POST',
    path: '/admin/v1/accounts/{accountId}/users',
    tag: 'users',
    summary: 'Make a user. Without a policy it may nothing.',
    access: onUser('iam:CreateUser'),
    params: OfAccount,
    body: shapes.NewUser,
    status: 201,
    answer: shapes.User,
    errors: ['NoSuchEntity', 'EntityAlreadyExists', 'LimitExceeded'],
    handle: async ({ ports, call, path, body }) =>
      shownUser(await ports.administration.createUser(call, { ...path, ...body })),
  }),
  route({
    id: 'listUsers',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/users',
    tag: 'users',
    summary: 'Users in the order of their names.',
    access: onIdentities('iam:ListUsers'),
    params: OfAccount,
    query: shapes.Page,
    status: 200,
    answer: shapes.UserPage,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path, query }) {
      const { users, ...more } = await ports.administration.listUsers(call, { ...path, ...query });
      return { users: users.map(shownUser), ...more };
    },
  }),
  route({
    id: 'getUser',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/users/{userName}',
    tag: 'users',
    summary: 'One user.',
    access: onUser('iam:GetUser'),
    params: OfUser,
    status: 200,
    answer: shapes.User,
    errors: ['NoSuchEntity'],
    handle: async ({ ports, call, path }) => shownUser(await ports.administration.getUser(call, path)),
  }),
  route({
    id: 'deleteUser',
    method: 'DELETE',
    path: '/admin/v1/accounts/{accountId}/users/{userName}',
    tag: 'users',
    summary: 'Delete a user with its keys, inline policies, attachments, memberships and sessions.',
    access: onUser('iam:DeleteUser'),
    params: OfUser,
    status: 204,
    errors: ['NoSuchEntity'],
    handle: ({ ports, call, path }) => ports.administration.deleteUser(call, path),
  }),
  route({
    id: 'putUserBoundary',
    method: 'PUT',
    path: '/admin/v1/accounts/{accountId}/users/{userName}/boundary',
    tag: 'users',
    summary: 'Bound what the user may by a managed policy of its account.',
    access: onUser('iam:PutUserPermissionsBoundary'),
    params: OfUser,
    body: shapes.Boundary,
    status: 204,
    errors: ['NoSuchEntity'],
    handle: ({ ports, call, path, body }) => ports.administration.setUserBoundary(call, { ...path, ...body }),
  }),
  route({
    id: 'deleteUserBoundary',
    method: 'DELETE',
    path: '/admin/v1/accounts/{accountId}/users/{userName}/boundary',
    tag: 'users',
    summary: 'Take the bound of a user away.',
    access: onUser('iam:DeleteUserPermissionsBoundary'),
    params: OfUser,
    status: 204,
    errors: ['NoSuchEntity'],
    handle: ({ ports, call, path }) => ports.administration.setUserBoundary(call, path),
  }),
  route({
    id: 'listGroupsOfUser',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/users/{userName}/groups',
    tag: 'users',
    summary: 'Groups that the user is a member of.',
    access: onUser('iam:ListGroupsForUser'),
    params: OfUser,
    query: shapes.Page,
    status: 200,
    answer: shapes.GroupPage,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path, query }) {
      const { groups, ...more } = await ports.administration.listGroupsOfUser(call, { ...path, ...query });
      return { groups: groups.map(shownGroup), ...more };
    },
  }),
  route({
    id: 'createUserKey',
    method: 'POST',
    path: '/admin/v1/accounts/{accountId}/users/{userName}/keys',
    tag: 'keys',
    summary: 'Make a key of the user; two at most, so that one can replace the other.',
    access: onUser('iam:CreateAccessKey'),
    params: OfUser,
    status: 201,
    answer: shapes.NewAccessKey,
    noStore: true,
    errors: ['NoSuchEntity', 'LimitExceeded'],
    async handle({ ports, call, path }) {
      const { accessKey, secretAccessKey } = await ports.administration.createAccessKey(call, path);
      return { accessKey: shownKey(accessKey), secretAccessKey };
    },
  }),
  route({
    id: 'listUserKeys',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/users/{userName}/keys',
    tag: 'keys',
    summary: 'Keys of the user.',
    access: onUser('iam:ListAccessKeys'),
    params: OfUser,
    query: shapes.Page,
    status: 200,
    answer: shapes.AccessKeyPage,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path, query }) {
      const { accessKeys, ...more } = await ports.administration.listAccessKeys(call, { ...path, ...query });
      return { accessKeys: accessKeys.map(shownKey), ...more };
    },
  }),
  route({
    id: 'setUserKeyStatus',
    method: 'PUT',
    path: '/admin/v1/accounts/{accountId}/users/{userName}/keys/{accessKeyId}',
    tag: 'keys',
    summary: 'Make a key of the user active or inactive.',
    access: onUser('iam:UpdateAccessKey'),
    params: OfUserKey,
    body: shapes.KeyStatus,
    status: 204,
    errors: ['NoSuchEntity'],
    handle: ({ ports, call, path, body }) => ports.administration.setAccessKeyStatus(call, { ...path, ...body }),
  }),
  route({
    id: 'deleteUserKey',
    method: 'DELETE',
    path: '/admin/v1/accounts/{accountId}/users/{userName}/keys/{accessKeyId}',
    tag: 'keys',
    summary: 'Delete a key of the user.',
    access: onUser('iam:DeleteAccessKey'),
    params: OfUserKey,
    status: 204,
    errors: ['NoSuchEntity'],
    handle: ({ ports, call, path }) => ports.administration.deleteAccessKey(call, path),
  }),
  route({
    id: 'simulateUser',
    method: 'POST',
    path: '/admin/v1/accounts/{accountId}/users/{userName}/simulate',
    tag: 'policies',
    summary: 'What the policies of the user say to an action now, and which statement says it. Nothing is done.',
    access: onUser('iam:SimulatePrincipalPolicy'),
    params: OfUser,
    body: shapes.Simulation,
    status: 200,
    answer: shapes.SimulationResult,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path, body }) {
      const user = await ports.administration.getUser(call, path);
      const { context = {}, ...check } = body;
      const { decisions, reasons } = await ports.identity.decide(call, {
        caller: callerOf(user),
        checks: [check],
        context: conditionKeysOf(context),
      });
      return { decision: decisions[0], reason: reasons[0] };
    },
  }),
];

/** Errors: InvalidArgument, when a key stands in two spellings: one of the two would be believed and the other not. */
function conditionKeysOf(context: Record<string, string[]>): ConditionKeys {
  const keys = new Map(Object.entries(context).map(([key, values]) => [key.toLowerCase(), values]));
  if (keys.size < Object.keys(context).length) {
    throw new HoldfastError('InvalidArgument', 'body.context: a key stands twice.');
  }
  return Object.fromEntries(keys);
}

/** As identity looks the user up by it; names and owner are its own to fill in. */
function callerOf({ accountId, userName, userId, arn }: User): Caller {
  return { kind: 'user', accountId, userName, userId, arn, canonicalId: '', displayName: '' };
}
