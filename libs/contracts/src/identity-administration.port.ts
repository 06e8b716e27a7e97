import { AccountSchema } from './identity.port.js';
import { s, type Infer } from './schema.js';
import { defineService, read, write, type PortOf } from './service.js';

/** What is asked for of a list: at most `limit` entries that come after `after` (the `next` of the page before). */
const page = { after: s.optional(s.string(256)), limit: s.integer(1, 1000) };
/** Present when there is more. */
const next = { next: s.optional(s.string(256)) };

const accountId = s.string(64);
const name = s.string(128);
const document = s.string(65_536);
const inAccount = { accountId };
const user = { ...inAccount, userName: name };
const group = { ...inAccount, groupName: name };
const policy = { ...inAccount, policyName: name };
/** Where an administrator sees a user in a hierarchy: `/`, or `/team/`. It names nobody: names alone do. */
const path = s.string(512);
const key = { ...user, accessKeyId: s.string(256) };
/** Who holds policies. */
const holder = { ...inAccount, holder: s.oneOf('user', 'group'), holderName: name };

export const UserSchema = s.object({
  ...user,
  /** Never given to another user. */
  userId: s.string(128),
  path,
  arn: s.string(512),
  /** Name of the managed policy that bounds what the user may. */
  boundary: s.optional(name),
  createdAtMs: s.integer(),
});
export const GroupSchema = s.object({ ...group, arn: s.string(512), createdAtMs: s.integer() });
export const AccessKeySchema = s.object({
  ...key,
  status: s.oneOf('active', 'inactive'),
  createdAtMs: s.integer(),
  /** To within a quarter of an hour. */
  lastUsedAtMs: s.optional(s.integer()),
});
export const InlinePolicySchema = s.object({ policyName: name, document });
export const ManagedPolicySchema = s.object({
  ...policy,
  arn: s.string(512),
  description: s.string(1000),
  /** The version that is in force. */
  defaultVersion: s.integer(1),
  /** Users and groups it is attached to, and users it bounds. */
  attachments: s.integer(),
  createdAtMs: s.integer(),
});
export const PolicyVersionSchema = s.object({
  version: s.integer(1),
  isDefault: s.boolean,
  document,
  createdAtMs: s.integer(),
});
export type User = Infer<typeof UserSchema>;
export type Group = Infer<typeof GroupSchema>;
export type AccessKey = Infer<typeof AccessKeySchema>;
export type InlinePolicy = Infer<typeof InlinePolicySchema>;
export type ManagedPolicy = Infer<typeof ManagedPolicySchema>;
export type PolicyVersion = Infer<typeof PolicyVersionSchema>;

const version = { ...policy, version: s.integer(1) };

/**
 * Accounts and what belongs to them. Each method is called by the admin REST after `Identity.authorize` allowed its own action
 * (`iam:CreateUser` …). A user name that is empty stands for the root of the account. Lists come in the order of names.
 * Errors: InvalidArgument (a name or value that does not fit, a malformed policy), NoSuchEntity, EntityAlreadyExists,
 * LimitExceeded, DeleteConflict, ServiceUnavailable (the outcome of a change is then open).
 */
export const identityAdministrationService = defineService('identity-administration', {
  createAccount: write(s.object({ name, email: s.string(256), displayName: s.optional(s.string(256)) }), AccountSchema),
  getAccount: read(s.object(inAccount), AccountSchema),
  listAccounts: read(s.object(page), s.object({ accounts: s.array(AccountSchema), ...next })),
  /** An account with users, groups, policies or keys is not empty: DeleteConflict. Its buckets are the caller's to ask about. */
  deleteAccount: write(s.object(inAccount), s.nothing),

  /** Without a path: `/`. */
  createUser: write(s.object({ ...user, path: s.optional(path), password: s.optional(s.string(1024)) }), UserSchema),
  getUser: read(s.object(user), UserSchema),
  /** Those whose path begins with `pathPrefix`. */
  listUsers: read(
    s.object({ ...inAccount, ...page, pathPrefix: s.optional(path) }),
    s.object({ users: s.array(UserSchema), ...next }),
  ),
  /** With the user go its keys, inline policies, attachments and memberships. */
  deleteUser: write(s.object(user), s.nothing),
  /** Bounds what the user may by a managed policy of its account; without a name the bound goes. */
  setUserBoundary: write(s.object({ ...user, policyName: s.optional(name) }), s.nothing),

  /** The secret is shown this once. */
  createAccessKey: write(s.object(user), s.object({ accessKey: AccessKeySchema, secretAccessKey: s.string(256) })),
  listAccessKeys: read(s.object({ ...user, ...page }), s.object({ accessKeys: s.array(AccessKeySchema), ...next })),
  setAccessKeyStatus: write(s.object({ ...key, status: s.oneOf('active', 'inactive') }), s.nothing),
  deleteAccessKey: write(s.object(key), s.nothing),

  createGroup: write(s.object(group), GroupSchema),
  getGroup: read(s.object(group), GroupSchema),
  listGroups: read(s.object({ ...inAccount, ...page }), s.object({ groups: s.array(GroupSchema), ...next })),
  /** A group with members or policies is refused: to end it silently would change what its members may. DeleteConflict. */
  deleteGroup: write(s.object(group), s.nothing),
  addGroupMember: write(s.object({ ...group, userName: name }), s.nothing),
  removeGroupMember: write(s.object({ ...group, userName: name }), s.nothing),
  listGroupMembers: read(s.object({ ...group, ...page }), s.object({ users: s.array(UserSchema), ...next })),
  listGroupsOfUser: read(s.object({ ...user, ...page }), s.object({ groups: s.array(GroupSchema), ...next })),

  putInlinePolicy: write(s.object({ ...holder, policyName: name, document }), s.nothing),
  getInlinePolicy: read(s.object({ ...holder, policyName: name }), InlinePolicySchema),
  listInlinePolicies: read(
    s.object({ ...holder, ...page }),
    s.object({ policies: s.array(InlinePolicySchema), ...next }),
  ),
  deleteInlinePolicy: write(s.object({ ...holder, policyName: name }), s.nothing),

  createPolicy: write(s.object({ ...policy, description: s.string(1000), document }), ManagedPolicySchema),
  getPolicy: read(s.object(policy), ManagedPolicySchema),
  listPolicies: read(
    s.object({ ...inAccount, ...page }),
    s.object({ policies: s.array(ManagedPolicySchema), ...next }),
  ),
  /** A policy that is attached or bounds a user: DeleteConflict. */
  deletePolicy: write(s.object(policy), s.nothing),
  createPolicyVersion: write(s.object({ ...policy, document, setAsDefault: s.boolean }), PolicyVersionSchema),
  getPolicyVersion: read(s.object(version), PolicyVersionSchema),
  /** Newest first, all of them: there are few. */
  listPolicyVersions: read(s.object(policy), s.object({ versions: s.array(PolicyVersionSchema) })),
  setDefaultPolicyVersion: write(s.object(version), s.nothing),
  /** The default version: DeleteConflict. */
  deletePolicyVersion: write(s.object(version), s.nothing),
  attachPolicy: write(s.object({ ...holder, policyName: name }), s.nothing),
  detachPolicy: write(s.object({ ...holder, policyName: name }), s.nothing),
  listAttachedPolicies: read(
    s.object({ ...holder, ...page }),
    s.object({ policies: s.array(ManagedPolicySchema), ...next }),
  ),

  /** A new key signs tokens; the others verify until what they signed has expired, or end at once with `endOthers`. */
  rotateTokenKey: write(s.object({ endOthers: s.boolean }), s.object({ keyId: s.string(128) })),
});

export type IdentityAdministrationMethods = PortOf<typeof identityAdministrationService.methods>;
type M = IdentityAdministrationMethods;
type P<K extends keyof M> = Parameters<M[K]>;
type R<K extends keyof M> = ReturnType<M[K]>;

/** The port: see `identityAdministrationService` for each method's shape and errors. */
export abstract class IdentityAdministration implements IdentityAdministrationMethods {
  abstract createAccount(...args: P<'createAccount'>): R<'createAccount'>;
  abstract getAccount(...args: P<'getAccount'>): R<'getAccount'>;
  abstract listAccounts(...args: P<'listAccounts'>): R<'listAccounts'>;
  abstract deleteAccount(...args: P<'deleteAccount'>): R<'deleteAccount'>;
  abstract createUser(...args: P<'createUser'>): R<'createUser'>;
  abstract getUser(...args: P<'getUser'>): R<'getUser'>;
  abstract listUsers(...args: P<'listUsers'>): R<'listUsers'>;
  abstract deleteUser(...args: P<'deleteUser'>): R<'deleteUser'>;
  abstract setUserBoundary(...args: P<'setUserBoundary'>): R<'setUserBoundary'>;
  abstract createAccessKey(...args: P<'createAccessKey'>): R<'createAccessKey'>;
  abstract listAccessKeys(...args: P<'listAccessKeys'>): R<'listAccessKeys'>;
  abstract setAccessKeyStatus(...args: P<'setAccessKeyStatus'>): R<'setAccessKeyStatus'>;
  abstract deleteAccessKey(...args: P<'deleteAccessKey'>): R<'deleteAccessKey'>;
  abstract createGroup(...args: P<'createGroup'>): R<'createGroup'>;
  abstract getGroup(...args: P<'getGroup'>): R<'getGroup'>;
  abstract listGroups(...args: P<'listGroups'>): R<'listGroups'>;
  abstract deleteGroup(...args: P<'deleteGroup'>): R<'deleteGroup'>;
  abstract addGroupMember(...args: P<'addGroupMember'>): R<'addGroupMember'>;
  abstract removeGroupMember(...args: P<'removeGroupMember'>): R<'removeGroupMember'>;
  abstract listGroupMembers(...args: P<'listGroupMembers'>): R<'listGroupMembers'>;
  abstract listGroupsOfUser(...args: P<'listGroupsOfUser'>): R<'listGroupsOfUser'>;
  abstract putInlinePolicy(...args: P<'putInlinePolicy'>): R<'putInlinePolicy'>;
  abstract getInlinePolicy(...args: P<'getInlinePolicy'>): R<'getInlinePolicy'>;
  abstract listInlinePolicies(...args: P<'listInlinePolicies'>): R<'listInlinePolicies'>;
  abstract deleteInlinePolicy(...args: P<'deleteInlinePolicy'>): R<'deleteInlinePolicy'>;
  abstract createPolicy(...args: P<'createPolicy'>): R<'createPolicy'>;
  abstract getPolicy(...args: P<'getPolicy'>): R<'getPolicy'>;
  abstract listPolicies(...args: P<'listPolicies'>): R<'listPolicies'>;
  abstract deletePolicy(...args: P<'deletePolicy'>): R<'deletePolicy'>;
  abstract createPolicyVersion(...args: P<'createPolicyVersion'>): R<'createPolicyVersion'>;
  abstract getPolicyVersion(...args: P<'getPolicyVersion'>): R<'getPolicyVersion'>;
  abstract listPolicyVersions(...args: P<'listPolicyVersions'>): R<'listPolicyVersions'>;
  abstract setDefaultPolicyVersion(...args: P<'setDefaultPolicyVersion'>): R<'setDefaultPolicyVersion'>;
  abstract deletePolicyVersion(...args: P<'deletePolicyVersion'>): R<'deletePolicyVersion'>;
  abstract attachPolicy(...args: P<'attachPolicy'>): R<'attachPolicy'>;
  abstract detachPolicy(...args: P<'detachPolicy'>): R<'detachPolicy'>;
  abstract listAttachedPolicies(...args: P<'listAttachedPolicies'>): R<'listAttachedPolicies'>;
  abstract rotateTokenKey(...args: P<'rotateTokenKey'>): R<'rotateTokenKey'>;
}
