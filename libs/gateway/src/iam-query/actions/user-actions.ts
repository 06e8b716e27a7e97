import { z } from 'zod';
import { HoldfastError, type User } from '@holdfast/contracts';
import { xmlElement, type XmlNode } from '@holdfast/s3-protocol';
import { onIdentities, onUser } from '../../admin/access.js';
import { userPath } from '../../admin/schemas.js';
import {
  iamAction,
  OF_LIST,
  OF_USER,
  OF_USER_OR_CALLER,
  pageOf,
  type ActionInput,
  type IamAction,
} from '../iam-action.js';
import { iamTime, listEnd, memberList } from '../iam-document.js';

function userElements({ userName, userId, path, arn, createdAtMs }: User): XmlNode[] {
  return [
    xmlElement('Path', path),
    xmlElement('UserName', userName),
    xmlElement('UserId', userId),
    xmlElement('Arn', arn),
    xmlElement('CreateDate', iamTime(createdAtMs)),
  ];
}

export const USER_ACTIONS: readonly IamAction[] = [
  iamAction({
    name: 'GetUser',
    params: z.strictObject(OF_USER_OR_CALLER),
    access: ({ userName }) => (userName === '' ? onIdentities : onUser)('iam:GetUser'),
    async handle({ administration, call, caller, subject: { accountId, userName } }) {
      if (userName !== '') {
        return [xmlElement('User', userElements(await administration.getUser(call, { accountId, userName })))];
      }
      // The root has no name and no path; it is as old as its account.
      const { createdAtMs } = await administration.getAccount(call, { accountId });
      const created = xmlElement('CreateDate', iamTime(createdAtMs));
      return [xmlElement('User', [xmlElement('UserId', accountId), xmlElement('Arn', caller.arn), created])];
    },
  }),
  iamAction({
    name: 'CreateUser',
    params: z.strictObject({ ...OF_USER, Path: userPath.optional() }),
    access: () => onUser('iam:CreateUser'),
    async handle({ administration, call, subject: { accountId, userName }, input: { Path } }) {
      const path = Path === undefined ? {} : { path: Path };
      const user = await administration.createUser(call, { accountId, userName, ...path });
      return [xmlElement('User', userElements(user))];
    },
  }),
  iamAction({
    name: 'ListUsers',
    params: z.strictObject({
      ...OF_LIST,
      PathPrefix: z
        .string()
        .max(512)
        .regex(/^\/[\x21-\x7e]*$/, 'must begin with /')
        .default('/'),
    }),
    access: () => onIdentities('iam:ListUsers'),
    async handle({ administration, call, subject: { accountId }, input }) {
      const asked = { accountId, pathPrefix: input.PathPrefix, ...pageOf(input) };
      const { users, next } = await administration.listUsers(call, asked);
      return [memberList('Users', users.map(userElements)), ...listEnd(next)];
    },
  }),
  iamAction({
    name: 'DeleteUser',
    params: z.strictObject(OF_USER),
    access: () => onUser('iam:DeleteUser'),
    async handle(input) {
      const { administration, call, subject } = input;
      await requireBare(input);
      await administration.deleteUser(call, { accountId: subject.accountId, userName: subject.userName });
      return undefined;
    },
  }),
];

/** IAM deletes no user that still has something; clients take it away first, and count on being told. Errors: DeleteConflict. */
async function requireBare({ administration, call, subject }: ActionInput<unknown>): Promise<void> {
  const { accountId, userName } = subject;
  const user = { accountId, userName, limit: 1 };
  const holder = { accountId, holder: 'user' as const, holderName: userName, limit: 1 };
  const [{ accessKeys }, { policies: inline }, { policies: attached }, { groups }] = await Promise.all([
    administration.listAccessKeys(call, user),
    administration.listInlinePolicies(call, holder),
    administration.listAttachedPolicies(call, holder),
    administration.listGroupsOfUser(call, user),
  ]);
  const held = [accessKeys, inline, attached, groups].findIndex((entries) => entries.length > 0);
  if (held < 0) return;
  const what = ['access keys', 'inline policies', 'attached policies', 'memberships in groups'][held];
  throw new HoldfastError('DeleteConflict', `The user still has ${what}. Remove those first.`);
}
