import { z } from 'zod';
import { onGroup, onUser, withPolicyArn } from '../access.js';
import { checkPolicyText } from '../policy-text.js';
import { route, type AdminRoute } from '../route.js';
import * as shapes from '../schemas.js';
import { shownPolicy } from './policy-routes.js';

interface Holder {
  readonly kind: 'user' | 'group';
  /** As in the names of IAM's actions: `iam:PutUserPolicy`. */
  readonly title: 'User' | 'Group';
  readonly access: typeof onUser;
  readonly parameter: 'userName' | 'groupName';
  readonly name: z.ZodString;
}

const HOLDERS: readonly Holder[] = [
  { kind: 'user', title: 'User', access: onUser, parameter: 'userName', name: shapes.userName },
  { kind: 'group', title: 'Group', access: onGroup, parameter: 'groupName', name: shapes.groupName },
];

/** The paths of a holder, and what they name. */
function placeOf({ kind, parameter, name }: Holder) {
  const params = z.strictObject({ accountId: shapes.accountId, [parameter]: name });
  const holderOf = (path: Record<string, unknown>) => ({
    accountId: String(path.accountId),
    holder: kind,
    holderName: String(path[parameter]),
  });
  return {
    base: `/admin/v1/accounts/{accountId}/${kind}s/{${parameter}}`,
    params,
    paramsOfPolicy: z.strictObject({ ...params.shape, policyName: shapes.policyName }),
    holderOf,
    policyOf: (path: Record<string, unknown>) => ({ ...holderOf(path), policyName: String(path.policyName) }),
  };
}

function inlineRoutesOf(holder: Holder): AdminRoute[] {
  const { kind, title, access } = holder;
  const { base, params, paramsOfPolicy, holderOf, policyOf } = placeOf(holder);
  return [
    route({
      id: `list${title}Policies`,
      method: 'GET',
      path: `${base}/policies`,
      tag: 'policies',
      summary: `Inline policies of the ${kind}.`,
      access: access(`iam:List${title}Policies`),
      params,
      query: shapes.Page,
      status: 200,
      answer: shapes.InlinePolicyPage,
      errors: ['NoSuchEntity'],
      handle: ({ ports, call, path, query }) =>
        ports.administration.listInlinePolicies(call, { ...holderOf(path), ...query }),
    }),
    route({
      id: `get${title}Policy`,
      method: 'GET',
      path: `${base}/policies/{policyName}`,
      tag: 'policies',
      summary: `One inline policy of the ${kind}.`,
      access: access(`iam:Get${title}Policy`),
      params: paramsOfPolicy,
      status: 200,
      answer: shapes.InlinePolicy,
      errors: ['NoSuchEntity'],
      handle: ({ ports, call, path }) => ports.administration.getInlinePolicy(call, policyOf(path)),
    }),
    route({
      id: `put${title}Policy`,
      method: 'PUT',
      path: `${base}/policies/{policyName}`,
      tag: 'policies',
      summary: `Make or replace an inline policy of the ${kind}. The body is the policy; it is kept as it came.`,
      access: access(`iam:Put${title}Policy`),
      params: paramsOfPolicy,
      body: shapes.PolicyDocument,
      status: 204,
      errors: ['NoSuchEntity', 'MalformedPolicy'],
      async handle({ ports, call, path, rawBody }) {
        const document = checkPolicyText(rawBody);
        await ports.administration.putInlinePolicy(call, { ...policyOf(path), document });
      },
    }),
    route({
      id: `delete${title}Policy`,
      method: 'DELETE',
      path: `${base}/policies/{policyName}`,
      tag: 'policies',
      summary: `Delete an inline policy of the ${kind}.`,
      access: access(`iam:Delete${title}Policy`),
      params: paramsOfPolicy,
      status: 204,
      errors: ['NoSuchEntity'],
      handle: ({ ports, call, path }) => ports.administration.deleteInlinePolicy(call, policyOf(path)),
    }),
  ];
}

function attachmentRoutesOf(holder: Holder): AdminRoute[] {
  const { kind, title, access } = holder;
  const { base, params, paramsOfPolicy, holderOf, policyOf } = placeOf(holder);
  return [
    route({
      id: `listAttached${title}Policies`,
      method: 'GET',
      path: `${base}/attached-policies`,
      tag: 'policies',
      summary: `Managed policies that are attached to the ${kind}.`,
      access: access(`iam:ListAttached${title}Policies`),
      params,
      query: shapes.Page,
      status: 200,
      answer: shapes.ManagedPolicyPage,
      errors: ['NoSuchEntity'],
      async handle({ ports, call, path, query }) {
        const page = await ports.administration.listAttachedPolicies(call, { ...holderOf(path), ...query });
        const { policies, ...more } = page;
        return { policies: policies.map(shownPolicy), ...more };
      },
    }),
    route({
      id: `attach${title}Policy`,
      method: 'PUT',
      path: `${base}/attached-policies/{policyName}`,
      tag: 'policies',
      summary: `Attach a managed policy to the ${kind}; ten at most.`,
      access: withPolicyArn(access(`iam:Attach${title}Policy`)),
      params: paramsOfPolicy,
      status: 204,
      errors: ['NoSuchEntity', 'LimitExceeded'],
      handle: ({ ports, call, path }) => ports.administration.attachPolicy(call, policyOf(path)),
    }),
    route({
      id: `detach${title}Policy`,
      method: 'DELETE',
      path: `${base}/attached-policies/{policyName}`,
      tag: 'policies',
      summary: `Detach a managed policy from the ${kind}.`,
      access: withPolicyArn(access(`iam:Detach${title}Policy`)),
      params: paramsOfPolicy,
      status: 204,
      errors: ['NoSuchEntity'],
      handle: ({ ports, call, path }) => ports.administration.detachPolicy(call, policyOf(path)),
    }),
  ];
}

/** Inline and attached policies: the same of a user and of a group. */
export const HOLDER_ROUTES: readonly AdminRoute[] = HOLDERS.flatMap((holder) => [
  ...inlineRoutesOf(holder),
  ...attachmentRoutesOf(holder),
]);
