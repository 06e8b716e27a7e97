import { z } from 'zod';
import { onGroup, onIdentities } from '../access.js';
import { route, type AdminRoute } from '../route.js';
import * as shapes from '../schemas.js';
import { shownGroup, shownUser } from './user-routes.js';

const OfAccount = z.strictObject({ accountId: shapes.accountId });
const OfGroup = z.strictObject({ accountId: shapes.accountId, groupName: shapes.groupName });
const OfMember = z.strictObject({ ...OfGroup.shape, userName: shapes.userName });

export const GROUP_ROUTES: readonly AdminRoute[] = [
  route({
    id: 'createGroup',
    method: 'POST',
    path: '/admin/v1/accounts/{accountId}/groups',
    tag: 'groups',
    summary: 'Make a group.',
    access: onGroup('iam:CreateGroup'),
    params: OfAccount,
    body: shapes.NewGroup,
    status: 201,
    answer: shapes.Group,
    errors: ['NoSuchEntity', 'EntityAlreadyExists', 'LimitExceeded'],
    handle: async ({ ports, call, path, body }) =>
      shownGroup(await ports.administration.createGroup(call, { ...path, ...body })),
  }),
  route({
    id: 'listGroups',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/groups',
    tag: 'groups',
    summary: 'Groups in the order of their names.',
    access: onIdentities('iam:ListGroups'),
    params: OfAccount,
    query: shapes.Page,
    status: 200,
    answer: shapes.GroupPage,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path, query }) {
      const { groups, ...more } = await ports.administration.listGroups(call, { ...path, ...query });
      return { groups: groups.map(shownGroup), ...more };
    },
  }),
  route({
    id: 'getGroup',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/groups/{groupName}',
    tag: 'groups',
    summary: 'One group.',
    access: onGroup('iam:GetGroup'),
    params: OfGroup,
    status: 200,
    answer: shapes.Group,
    errors: ['NoSuchEntity'],
    handle: async ({ ports, call, path }) => shownGroup(await ports.administration.getGroup(call, path)),
  }),
  route({
    id: 'deleteGroup',
    method: 'DELETE',
    path: '/admin/v1/accounts/{accountId}/groups/{groupName}',
    tag: 'groups',
    summary: 'Delete a group that has neither members nor policies.',
    access: onGroup('iam:DeleteGroup'),
    params: OfGroup,
    status: 204,
    errors: ['NoSuchEntity', 'DeleteConflict'],
    handle: ({ ports, call, path }) => ports.administration.deleteGroup(call, path),
  }),
  route({
    id: 'listGroupMembers',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/groups/{groupName}/members',
    tag: 'groups',
    summary: 'Members in the order of their names.',
    access: onGroup('iam:GetGroup'),
    params: OfGroup,
    query: shapes.Page,
    status: 200,
    answer: shapes.UserPage,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path, query }) {
      const { users, ...more } = await ports.administration.listGroupMembers(call, { ...path, ...query });
      return { users: users.map(shownUser), ...more };
    },
  }),
  route({
    id: 'addGroupMember',
    method: 'PUT',
    path: '/admin/v1/accounts/{accountId}/groups/{groupName}/members/{userName}',
    tag: 'groups',
    summary: 'Make the user a member. A user is in at most ten groups.',
    access: onGroup('iam:AddUserToGroup'),
    params: OfMember,
    status: 204,
    errors: ['NoSuchEntity', 'LimitExceeded'],
    handle: ({ ports, call, path }) => ports.administration.addGroupMember(call, path),
  }),
  route({
    id: 'removeGroupMember',
    method: 'DELETE',
    path: '/admin/v1/accounts/{accountId}/groups/{groupName}/members/{userName}',
    tag: 'groups',
    summary: 'Take the user out of the group.',
    access: onGroup('iam:RemoveUserFromGroup'),
    params: OfMember,
    status: 204,
    errors: ['NoSuchEntity'],
    handle: ({ ports, call, path }) => ports.administration.removeGroupMember(call, path),
  }),
];
