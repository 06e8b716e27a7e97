import { z } from 'zod';
import type { ManagedPolicy, PolicyVersion } from '@holdfast/contracts';
import { onIdentities, onPolicy } from '../access.js';
import { policyTextOf } from '../policy-text.js';
import { route, type AdminRoute } from '../route.js';
import * as shapes from '../schemas.js';

const OfAccount = z.strictObject({ accountId: shapes.accountId });
const OfPolicy = z.strictObject({ accountId: shapes.accountId, policyName: shapes.policyName });
const OfVersion = z.strictObject({ ...OfPolicy.shape, version: shapes.versionNumber });

export const shownPolicy = ({ createdAtMs, ...policy }: ManagedPolicy) => ({
  ...policy,
  createdAt: new Date(createdAtMs).toISOString(),
});
const shownVersion = ({ createdAtMs, ...version }: PolicyVersion) => ({
  ...version,
  createdAt: new Date(createdAtMs).toISOString(),
});

/** Managed policies and their versions. */
export const POLICY_ROUTES: readonly AdminRoute[] = [
  route({
    id: 'createPolicy',
    method: 'POST',
    path: '/admin/v1/accounts/{accountId}/policies',
    tag: 'policies',
    summary: 'Make a managed policy with its first version.',
    access: onPolicy('iam:CreatePolicy'),
    params: OfAccount,
    body: shapes.NewManagedPolicy,
    status: 201,
    answer: shapes.ManagedPolicy,
    errors: ['NoSuchEntity', 'EntityAlreadyExists', 'LimitExceeded', 'MalformedPolicy'],
    async handle({ ports, call, path, body }) {
      const { policyName, description = '', document } = body;
      const policy = { ...path, policyName, description, document: policyTextOf(document) };
      return shownPolicy(await ports.administration.createPolicy(call, policy));
    },
  }),
  route({
    id: 'listPolicies',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/policies',
    tag: 'policies',
    summary: 'Managed policies in the order of their names.',
    access: onIdentities('iam:ListPolicies'),
    params: OfAccount,
    query: shapes.Page,
    status: 200,
    answer: shapes.ManagedPolicyPage,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path, query }) {
      const { policies, ...more } = await ports.administration.listPolicies(call, { ...path, ...query });
      return { policies: policies.map(shownPolicy), ...more };
    },
  }),
  route({
    id: 'getPolicy',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/policies/{policyName}',
    tag: 'policies',
    summary: 'One managed policy.',
    access: onPolicy('iam:GetPolicy'),
    params: OfPolicy,
    status: 200,
    answer: shapes.ManagedPolicy,
    errors: ['NoSuchEntity'],
    handle: async ({ ports, call, path }) => shownPolicy(await ports.administration.getPolicy(call, path)),
  }),
  route({
    id: 'deletePolicy',
    method: 'DELETE',
    path: '/admin/v1/accounts/{accountId}/policies/{policyName}',
    tag: 'policies',
    summary: 'Delete a managed policy that is attached to nobody and bounds nobody.',
    access: onPolicy('iam:DeletePolicy'),
    params: OfPolicy,
    status: 204,
    errors: ['NoSuchEntity', 'DeleteConflict'],
    handle: ({ ports, call, path }) => ports.administration.deletePolicy(call, path),
  }),
  route({
    id: 'createPolicyVersion',
    method: 'POST',
    path: '/admin/v1/accounts/{accountId}/policies/{policyName}/versions',
    tag: 'policies',
    summary: 'Add a version; five at most.',
    access: onPolicy('iam:CreatePolicyVersion'),
    params: OfPolicy,
    body: shapes.NewPolicyVersion,
    status: 201,
    answer: shapes.PolicyVersion,
    errors: ['NoSuchEntity', 'LimitExceeded', 'MalformedPolicy'],
    async handle({ ports, call, path, body }) {
      const { document, setAsDefault = false } = body;
      const version = { ...path, document: policyTextOf(document), setAsDefault };
      return shownVersion(await ports.administration.createPolicyVersion(call, version));
    },
  }),
  route({
    id: 'listPolicyVersions',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/policies/{policyName}/versions',
    tag: 'policies',
    summary: 'All versions, newest first.',
    access: onPolicy('iam:ListPolicyVersions'),
    params: OfPolicy,
    status: 200,
    answer: shapes.PolicyVersionList,
    errors: ['NoSuchEntity'],
    async handle({ ports, call, path }) {
      const { versions } = await ports.administration.listPolicyVersions(call, path);
      return { versions: versions.map(shownVersion) };
    },
  }),
  route({
    id: 'getPolicyVersion',
    method: 'GET',
    path: '/admin/v1/accounts/{accountId}/policies/{policyName}/versions/{version}',
    tag: 'policies',
    summary: 'One version with its document.',
    access: onPolicy('iam:GetPolicyVersion'),
    params: OfVersion,
    status: 200,
    answer: shapes.PolicyVersion,
    errors: ['NoSuchEntity'],
    handle: async ({ ports, call, path }) => shownVersion(await ports.administration.getPolicyVersion(call, path)),
  }),
  route({
    id: 'deletePolicyVersion',
    method: 'DELETE',
    path: '/admin/v1/accounts/{accountId}/policies/{policyName}/versions/{version}',
    tag: 'policies',
    summary: 'Delete a version that is not the default.',
    access: onPolicy('iam:DeletePolicyVersion'),
    params: OfVersion,
    status: 204,
    errors: ['NoSuchEntity', 'DeleteConflict'],
    handle: ({ ports, call, path }) => ports.administration.deletePolicyVersion(call, path),
  }),
  route({
    id: 'setDefaultPolicyVersion',
    method: 'PUT',
    path: '/admin/v1/accounts/{accountId}/policies/{policyName}/default-version',
    tag: 'policies',
    summary: 'Bring a version into force.',
    access: onPolicy('iam:SetDefaultPolicyVersion'),
    params: OfPolicy,
    body: shapes.DefaultVersion,
    status: 204,
    errors: ['NoSuchEntity'],
    handle: ({ ports, call, path, body }) => ports.administration.setDefaultPolicyVersion(call, { ...path, ...body }),
  }),
];
