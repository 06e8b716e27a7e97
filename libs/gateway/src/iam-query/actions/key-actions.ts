import { z } from 'zod';
import type { AccessKey } from '@holdfast/contracts';
import { xmlElement, type XmlNode } from '@holdfast/s3-protocol';
import { onRootKeys, onUser, type RouteAccess } from '../../admin/access.js';
import { accessKeyId } from '../../admin/schemas.js';
import { iamAction, OF_LIST, OF_USER_OR_CALLER, pageOf, type IamAction, type Subject } from '../iam-action.js';
import { iamTime, listEnd, memberList } from '../iam-document.js';

const OF_KEY = { ...OF_USER_OR_CALLER, AccessKeyId: accessKeyId };
const STATUSES = { Active: 'active', Inactive: 'inactive' } as const;

const onKeysOf =
  (action: string) =>
  ({ userName }: Subject): RouteAccess =>
    (userName === '' ? onRootKeys : onUser)(action);
const ownerOf = ({ accountId, userName }: Subject) => ({ accountId, userName });

function keyElements({ userName, accessKeyId: id, status, createdAtMs }: AccessKey): (XmlNode | undefined)[] {
  return [
    userName === '' ? undefined : xmlElement('UserName', userName),
    xmlElement('AccessKeyId', id),
    xmlElement('Status', status === 'active' ? 'Active' : 'Inactive'),
    xmlElement('CreateDate', iamTime(createdAtMs)),
  ];
}

/** On the keys of a user, or without a name on the caller's own. */
export const KEY_ACTIONS: readonly IamAction[] = [
  iamAction({
    name: 'CreateAccessKey',
    params: z.strictObject(OF_USER_OR_CALLER),
    access: onKeysOf('iam:CreateAccessKey'),
    async handle({ administration, call, subject }) {
      const { accessKey, secretAccessKey } = await administration.createAccessKey(call, ownerOf(subject));
      const secret = xmlElement('SecretAccessKey', secretAccessKey);
      return [xmlElement('AccessKey', [...keyElements(accessKey), secret])];
    },
  }),
  iamAction({
    name: 'ListAccessKeys',
    params: z.strictObject({ ...OF_USER_OR_CALLER, ...OF_LIST }),
    access: onKeysOf('iam:ListAccessKeys'),
    async handle({ administration, call, subject, input }) {
      const asked = { ...ownerOf(subject), ...pageOf(input) };
      const { accessKeys, next } = await administration.listAccessKeys(call, asked);
      return [memberList('AccessKeyMetadata', accessKeys.map(keyElements)), ...listEnd(next)];
    },
  }),
  iamAction({
    name: 'UpdateAccessKey',
    params: z.strictObject({ ...OF_KEY, Status: z.enum(['Active', 'Inactive']) }),
    access: onKeysOf('iam:UpdateAccessKey'),
    async handle({ administration, call, subject, input }) {
      const key = { ...ownerOf(subject), accessKeyId: input.AccessKeyId };
      await administration.setAccessKeyStatus(call, { ...key, status: STATUSES[input.Status] });
      return undefined;
    },
  }),
  iamAction({
    name: 'DeleteAccessKey',
    params: z.strictObject(OF_KEY),
    access: onKeysOf('iam:DeleteAccessKey'),
    async handle({ administration, call, subject, input }) {
      await administration.deleteAccessKey(call, { ...ownerOf(subject), accessKeyId: input.AccessKeyId });
      return undefined;
    },
  }),
];
