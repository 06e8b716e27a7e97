import { s, type Infer } from './schema.js';
import { defineService, read, write, type PortOf } from './service.js';

/** How a request proves who sends it. Secrets stay in the identity service: it gets what was signed, not the other way round. */
export const ProofSchema = s.union('kind', {
  'signature-v4': s.object({
    kind: s.oneOf('signature-v4'),
    accessKeyId: s.string(256),
    /** yyyymmdd */
    date: s.string(8),
    region: s.string(64),
    service: s.string(64),
    stringToSign: s.string(4096),
    /** 64 hex digits as sent. */
    signature: s.string(128),
    /** True for aws-chunked bodies: the answer carries the day's signing key. */
    wantsSigningKey: s.boolean,
  }),
  /** A presigned URL of Signature Version 2. */
  'signature-v2': s.object({
    kind: s.oneOf('signature-v2'),
    accessKeyId: s.string(256),
    /** A byte string: each character stands for one byte. */
    stringToSign: s.string(16_384),
    /** Base64 of 20 bytes as sent. */
    signature: s.string(128),
  }),
  bearer: s.object({ kind: s.oneOf('bearer'), token: s.string(16_384) }),
  anonymous: s.object({ kind: s.oneOf('anonymous') }),
});
export type Proof = Infer<typeof ProofSchema>;

/** May this principal do `action` (`s3:GetObject`) on `resource` (`arn:aws:s3:::bucket/key`)? */
export const AccessCheckSchema = s.object({ action: s.string(128), resource: s.string(4096) });
export type AccessCheck = Infer<typeof AccessCheckSchema>;

/** `no-allow`: no identity statement applies; a bucket policy of the resource's owner could still allow. */
export const DecisionSchema = s.oneOf('allow', 'explicit-deny', 'no-allow');
export type Decision = Infer<typeof DecisionSchema>;

export const CallerSchema = s.object({
  kind: s.oneOf('root', 'user', 'anonymous'),
  /** 12 digits; empty for anonymous. */
  accountId: s.string(64),
  /** Canonical id of the account as S3 shows it in Owner/ID. */
  canonicalId: s.string(128),
  displayName: s.string(256),
  userName: s.string(128),
  arn: s.string(512),
});
export type Caller = Infer<typeof CallerSchema>;

export const AuthorizationRequestSchema = s.object({ proof: ProofSchema, checks: s.array(AccessCheckSchema, 1100) });
export type AuthorizationRequest = Infer<typeof AuthorizationRequestSchema>;

export const AuthorizationAnswerSchema = s.object({
  caller: CallerSchema,
  /** One per check, in their order. */
  decisions: s.array(DecisionSchema, 1100),
  signingKey: s.optional(s.bytes),
});
export type AuthorizationAnswer = Infer<typeof AuthorizationAnswerSchema>;

const CredentialsSchema = s.union('kind', {
  'access-key': s.object({ kind: s.oneOf('access-key'), accessKeyId: s.string(256), secretAccessKey: s.string(256) }),
  password: s.object({
    kind: s.oneOf('password'),
    account: s.string(128),
    user: s.string(128),
    password: s.string(1024),
  }),
});
export const TokenAnswerSchema = s.object({ accessToken: s.string(16_384), expiresInSeconds: s.integer(1) });

export const AccountSchema = s.object({
  accountId: s.string(64),
  name: s.string(128),
  canonicalId: s.string(128),
  email: s.string(256),
  createdAtMs: s.integer(),
});
export const UserSchema = s.object({
  accountId: s.string(64),
  userName: s.string(128),
  arn: s.string(512),
  createdAtMs: s.integer(),
});
export const AccessKeySchema = s.object({
  accessKeyId: s.string(256),
  accountId: s.string(64),
  userName: s.string(128),
  status: s.oneOf('active', 'inactive'),
  createdAtMs: s.integer(),
});
export type Account = Infer<typeof AccountSchema>;
export type User = Infer<typeof UserSchema>;
export type AccessKey = Infer<typeof AccessKeySchema>;
const userName = { accountId: s.string(64), userName: s.string(128) };

/**
 * IAM. Errors of `authorize`: InvalidAccessKeyId, SignatureDoesNotMatch, InvalidToken, ExpiredToken, ServiceUnavailable (the
 * database does not answer: never an allow). A bucket of another account is not judged here: the caller compares owners.
 */
export const identityService = defineService('identity', {
  /** Authenticates the proof and judges each check by the principal's identity policies. */
  authorize: read(AuthorizationRequestSchema, AuthorizationAnswerSchema),
  /** Judges further checks for a caller that `authorize` has named in this request (the keys of DeleteObjects). */
  decide: read(
    s.object({ caller: CallerSchema, checks: s.array(AccessCheckSchema, 1100) }),
    s.object({ decisions: s.array(DecisionSchema, 1100) }),
  ),
  /** Errors: InvalidCredentials, the same for every reason. */
  issueToken: write(CredentialsSchema, TokenAnswerSchema),
  /** The public keys that verify tokens, as a JWK set in JSON text. */
  jwks: read(s.object({}), s.object({ json: s.string(65_536) })),
  /** Owner names of accounts, for listings. Unknown ids are left out. */
  describeAccounts: read(
    s.object({ accountIds: s.array(s.string(64), 1000) }),
    s.object({ accounts: s.array(AccountSchema) }),
  ),

  // Administration. Each is called by the admin REST after `authorize` allowed its own action (`iam:CreateUser` …).
  createAccount: write(s.object({ name: s.string(128), email: s.string(256) }), AccountSchema),
  listAccounts: read(s.object({}), s.object({ accounts: s.array(AccountSchema) })),
  createUser: write(s.object({ ...userName, password: s.optional(s.string(1024)) }), UserSchema),
  listUsers: read(s.object({ accountId: s.string(64) }), s.object({ users: s.array(UserSchema) })),
  deleteUser: write(s.object(userName), s.object({ deleted: s.boolean })),
  /** `userName` empty: a key of the account's root. The secret is shown this once. */
  createAccessKey: write(s.object(userName), s.object({ accessKey: AccessKeySchema, secretAccessKey: s.string(256) })),
  listAccessKeys: read(s.object(userName), s.object({ accessKeys: s.array(AccessKeySchema) })),
  setAccessKeyStatus: write(
    s.object({ accessKeyId: s.string(256), status: s.oneOf('active', 'inactive') }),
    s.object({ found: s.boolean }),
  ),
  deleteAccessKey: write(s.object({ accessKeyId: s.string(256) }), s.object({ deleted: s.boolean })),
  /** `document` is the policy's JSON text. Errors: InvalidArgument (malformed policy, unknown user). */
  putUserPolicy: write(s.object({ ...userName, policyName: s.string(128), document: s.string(65_536) }), s.nothing),
  listUserPolicies: read(
    s.object(userName),
    s.object({ policies: s.array(s.object({ policyName: s.string(128), document: s.string(65_536) })) }),
  ),
  deleteUserPolicy: write(s.object({ ...userName, policyName: s.string(128) }), s.object({ deleted: s.boolean })),
});

export type IdentityMethods = PortOf<typeof identityService.methods>;

/** The identity port: see `identityService` for each method's shape and errors. */
export abstract class Identity implements IdentityMethods {
  abstract authorize(...args: Parameters<IdentityMethods['authorize']>): ReturnType<IdentityMethods['authorize']>;
  abstract decide(...args: Parameters<IdentityMethods['decide']>): ReturnType<IdentityMethods['decide']>;
  abstract issueToken(...args: Parameters<IdentityMethods['issueToken']>): ReturnType<IdentityMethods['issueToken']>;
  abstract jwks(...args: Parameters<IdentityMethods['jwks']>): ReturnType<IdentityMethods['jwks']>;
  abstract describeAccounts(
    ...args: Parameters<IdentityMethods['describeAccounts']>
  ): ReturnType<IdentityMethods['describeAccounts']>;
  abstract createAccount(
    ...args: Parameters<IdentityMethods['createAccount']>
  ): ReturnType<IdentityMethods['createAccount']>;
  abstract listAccounts(
    ...args: Parameters<IdentityMethods['listAccounts']>
  ): ReturnType<IdentityMethods['listAccounts']>;
  abstract createUser(...args: Parameters<IdentityMethods['createUser']>): ReturnType<IdentityMethods['createUser']>;
  abstract listUsers(...args: Parameters<IdentityMethods['listUsers']>): ReturnType<IdentityMethods['listUsers']>;
  abstract deleteUser(...args: Parameters<IdentityMethods['deleteUser']>): ReturnType<IdentityMethods['deleteUser']>;
  abstract createAccessKey(
    ...args: Parameters<IdentityMethods['createAccessKey']>
  ): ReturnType<IdentityMethods['createAccessKey']>;
  abstract listAccessKeys(
    ...args: Parameters<IdentityMethods['listAccessKeys']>
  ): ReturnType<IdentityMethods['listAccessKeys']>;
  abstract setAccessKeyStatus(
    ...args: Parameters<IdentityMethods['setAccessKeyStatus']>
  ): ReturnType<IdentityMethods['setAccessKeyStatus']>;
  abstract deleteAccessKey(
    ...args: Parameters<IdentityMethods['deleteAccessKey']>
  ): ReturnType<IdentityMethods['deleteAccessKey']>;
  abstract putUserPolicy(
    ...args: Parameters<IdentityMethods['putUserPolicy']>
  ): ReturnType<IdentityMethods['putUserPolicy']>;
  abstract listUserPolicies(
    ...args: Parameters<IdentityMethods['listUserPolicies']>
  ): ReturnType<IdentityMethods['listUserPolicies']>;
  abstract deleteUserPolicy(
    ...args: Parameters<IdentityMethods['deleteUserPolicy']>
  ): ReturnType<IdentityMethods['deleteUserPolicy']>;
}
