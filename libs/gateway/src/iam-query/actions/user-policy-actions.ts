import { z } from 'zod';
import { xmlElement } from '@holdfast/s3-protocol';
import { onUser, withPolicyArn } from '../../admin/access.js';
import { iamAction, OF_LIST, OF_POLICY, OF_USER, pageOf, type IamAction, type Subject } from '../iam-action.js';
import { listEnd, memberList } from '../iam-document.js';

const OF_ATTACHMENT = { ...OF_USER, PolicyArn: z.string().min(20).max(2048) };

const holderOf = ({ accountId, userName }: Subject) => ({ accountId, holder: 'user' as const, holderName: userName });

/** Inline policies of a user, and managed ones that are attached to it. */
export const USER_POLICY_ACTIONS: readonly IamAction[] = [
  iamAction({
    name: 'PutUserPolicy',
    params: z.strictObject({ ...OF_USER, ...OF_POLICY, PolicyDocument: z.string().min(1) }),
    access: () => onUser('iam:PutUserPolicy'),
    async handle({ administration, call, subject, input }) {
      const policy = { ...holderOf(subject), policyName: input.PolicyName };
      await administration.putInlinePolicy(call, { ...policy, document: input.PolicyDocument });
      return undefined;
    },
  }),
  iamAction({
    name: 'GetUserPolicy',
    params: z.strictObject({ ...OF_USER, ...OF_POLICY }),
    access: () => onUser('iam:GetUserPolicy'),
    async handle({ administration, call, subject, input }) {
      const asked = { ...holderOf(subject), policyName: input.PolicyName };
      const { policyName, document } = await administration.getInlinePolicy(call, asked);
      return [
        xmlElement('UserName', subject.userName),
        xmlElement('PolicyName', policyName),
        // Percent-encoded, as IAM hands out every policy.
        xmlElement('PolicyDocument', encodeURIComponent(document)),
      ];
    },
  }),
  iamAction({
    name: 'ListUserPolicies',
    params: z.strictObject({ ...OF_USER, ...OF_LIST }),
    access: () => onUser('iam:ListUserPolicies'),
    async handle({ administration, call, subject, input }) {
      const asked = { ...holderOf(subject), ...pageOf(input) };
      const { policies, next } = await administration.listInlinePolicies(call, asked);
      const names = policies.map(({ policyName }) => policyName);
      return [memberList('PolicyNames', names), ...listEnd(next)];
    },
  }),
  iamAction({
    name: 'DeleteUserPolicy',
    params: z.strictObject({ ...OF_USER, ...OF_POLICY }),
    access: () => onUser('iam:DeleteUserPolicy'),
    async handle({ administration, call, subject, input }) {
      await administration.deleteInlinePolicy(call, { ...holderOf(subject), policyName: input.PolicyName });
      return undefined;
    },
  }),
  iamAction({
    name: 'ListAttachedUserPolicies',
    params: z.strictObject({ ...OF_USER, ...OF_LIST }),
    access: () => onUser('iam:ListAttachedUserPolicies'),
    async handle({ administration, call, subject, input }) {
      const asked = { ...holderOf(subject), ...pageOf(input) };
      const { policies, next } = await administration.listAttachedPolicies(call, asked);
      const members = policies.map(({ policyName, arn }) => [
        xmlElement('PolicyName', policyName),
        xmlElement('PolicyArn', arn),
      ]);
      return [memberList('AttachedPolicies', members), ...listEnd(next)];
    },
  }),
  iamAction({
    name: 'AttachUserPolicy',
    params: z.strictObject(OF_ATTACHMENT),
    access: () => withPolicyArn(onUser('iam:AttachUserPolicy')),
    async handle({ administration, call, subject }) {
      await administration.attachPolicy(call, { ...holderOf(subject), policyName: subject.policyName });
      return undefined;
    },
  }),
  iamAction({
    name: 'DetachUserPolicy',
    params: z.strictObject(OF_ATTACHMENT),
    access: () => withPolicyArn(onUser('iam:DetachUserPolicy')),
    async handle({ administration, call, subject }) {
      await administration.detachPolicy(call, { ...holderOf(subject), policyName: subject.policyName });
      return undefined;
    },
  }),
];
