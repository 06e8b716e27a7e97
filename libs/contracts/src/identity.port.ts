import { s, type Infer } from './schema.js';
import { defineService, read, write, type PortOf } from './service.js';

/** The longest is the policy of a form, which is signed as it stands. */
const STRING_TO_SIGN_CHARACTERS_MAX = 20 * 1024;

/** How a request proves who sends it. Secrets stay in the identity service: it gets what was signed, not the other way round. */
export const ProofSchema = s.union('kind', {
  'signature-v4': s.object({
    kind: s.oneOf('signature-v4'),
    accessKeyId: s.string(256),
    /** yyyymmdd */
    date: s.string(8),
    region: s.string(64),
    service: s.string(64),
    stringToSign: s.string(STRING_TO_SIGN_CHARACTERS_MAX),
    /** 64 hex digits as sent. */
    signature: s.string(128),
    /** True for aws-chunked bodies: the answer carries the day's signing key. */
    wantsSigningKey: s.boolean,
    /** Of temporary credentials. */
    sessionToken: s.optional(s.string(16_384)),
  }),
  /** Signature Version 2: a presigned URL, an Authorization header, or the policy of a form. */
  'signature-v2': s.object({
    kind: s.oneOf('signature-v2'),
    accessKeyId: s.string(256),
    /** A byte string: each character stands for one byte. */
    stringToSign: s.string(STRING_TO_SIGN_CHARACTERS_MAX),
    /** Base64 of 20 bytes as sent. */
    signature: s.string(128),
  }),
  bearer: s.object({ kind: s.oneOf('bearer'), token: s.string(16_384) }),
  anonymous: s.object({ kind: s.oneOf('anonymous') }),
});
export type Proof = Infer<typeof ProofSchema>;

/** Tags of the object that a check names. `unread`: nobody has looked yet. */
export const ObjectTagsSchema = s.union('state', {
  unread: s.object({ state: s.oneOf('unread') }),
  read: s.object({ state: s.oneOf('read'), tags: s.record(s.string(256), 50) }),
});
export type ObjectTags = Infer<typeof ObjectTagsSchema>;

/**
 * What conditions may ask about a request: names in lower case (`aws:sourceip`) to their values. What stands in it comes
 * from the request as it was verified, never from a header that is named like a key. The principal's own keys
 * (`aws:username` …) are added by whoever judges.
 */
export const ConditionKeysSchema = s.record(s.array(s.string(8192), 64), 64);
export type ConditionKeys = Infer<typeof ConditionKeysSchema>;

/** May this principal do `action` (`s3:GetObject`) on `resource` (`arn:aws:s3:::bucket/key`)? */
export const AccessCheckSchema = s.object({
  action: s.string(128),
  resource: s.string(4096),
  /** Condition keys of this check alone, beside those of the request. */
  keys: s.optional(ConditionKeysSchema),
  /** What `s3:ExistingObjectTag/…` stands for; absent where S3 does not offer that key: no condition on it holds. */
  objectTags: s.optional(ObjectTagsSchema),
});
export type AccessCheck = Infer<typeof AccessCheckSchema>;

/**
 * What identity policies, boundary and session policy say together.
 * `no-allow`: no identity statement allows; a policy of the resource could still. `outside-boundary`, `outside-session`:
 * that cap does not allow, so the resource must name the principal itself. `needs-object-tags`: it hangs on tags of the
 * object that were not given; ask again with them.
 */
export const DecisionSchema = s.oneOf(
  'allow',
  'explicit-deny',
  'no-allow',
  'outside-boundary',
  'outside-session',
  'needs-object-tags',
);
export type Decision = Infer<typeof DecisionSchema>;

/** Why: the statement that decided. `none`: no statement applied; `root`: the root of an account needs none. */
export const ReasonSchema = s.object({
  layer: s.oneOf('none', 'root', 'identity', 'boundary', 'session', 'resource'),
  policyName: s.optional(s.string(1024)),
  /** Place of the statement in the policy, from 0. */
  statement: s.optional(s.integer()),
  sid: s.optional(s.string(512)),
});
export type Reason = Infer<typeof ReasonSchema>;

export const CallerSchema = s.object({
  kind: s.oneOf('root', 'user', 'anonymous'),
  /** 12 digits; empty for anonymous. */
  accountId: s.string(64),
  /** Canonical id of the account as S3 shows it in Owner/ID. */
  canonicalId: s.string(128),
  displayName: s.string(256),
  userName: s.string(128),
  /** Of the user or the root behind a session too. */
  arn: s.string(512),
  /** Of a user, never given to another; empty for root and anonymous. */
  userId: s.string(128),
  /** Present for temporary credentials. */
  session: s.optional(
    s.object({
      /** arn:aws:sts::ACCOUNT:… */
      arn: s.string(512),
      /** The session policy's JSON text, which caps what the session may do; it goes back with `decide`. */
      policy: s.optional(s.string(20_480)),
    }),
  ),
});
export type Caller = Infer<typeof CallerSchema>;

export const AuthorizationRequestSchema = s.object({
  proof: ProofSchema,
  checks: s.array(AccessCheckSchema, 1100),
  context: s.optional(ConditionKeysSchema),
});
export type AuthorizationRequest = Infer<typeof AuthorizationRequestSchema>;

export const AuthorizationAnswerSchema = s.object({
  caller: CallerSchema,
  /** One per check, in their order. */
  decisions: s.array(DecisionSchema, 1100),
  reasons: s.array(ReasonSchema, 1100),
  signingKey: s.optional(s.bytes),
});
export type AuthorizationAnswer = Infer<typeof AuthorizationAnswerSchema>;

/** Temporary access keys and a token that stand for the holder of the credentials, at most until those end. */
const SessionSchema = s.object({
  name: s.string(64),
  durationSeconds: s.integer(1, 43_200),
  /** JSON text; without it the session may what its holder may. */
  policy: s.optional(s.string(2048)),
});
const CredentialsSchema = s.union('kind', {
  'access-key': s.object({
    kind: s.oneOf('access-key'),
    accessKeyId: s.string(256),
    secretAccessKey: s.string(256),
    session: s.optional(SessionSchema),
  }),
  password: s.object({
    kind: s.oneOf('password'),
    account: s.string(128),
    user: s.string(128),
    password: s.string(1024),
    session: s.optional(SessionSchema),
  }),
});
const TemporaryKeySchema = s.object({
  accessKeyId: s.string(256),
  secretAccessKey: s.string(256),
  sessionToken: s.string(16_384),
  expiresAtMs: s.integer(),
});
export const TokenAnswerSchema = s.object({
  accessToken: s.string(16_384),
  expiresInSeconds: s.integer(1),
  /** For a session. */
  temporaryKey: s.optional(TemporaryKeySchema),
});
export type TemporaryKey = Infer<typeof TemporaryKeySchema>;
export type SessionRequest = Infer<typeof SessionSchema>;

export const AccountSchema = s.object({
  accountId: s.string(64),
  name: s.string(128),
  canonicalId: s.string(128),
  /** Owner/DisplayName of S3. */
  displayName: s.string(256),
  email: s.string(256),
  createdAtMs: s.integer(),
});
export type Account = Infer<typeof AccountSchema>;

/**
 * IAM. Errors of `authorize`: InvalidAccessKeyId, SignatureDoesNotMatch, InvalidToken, ExpiredToken, ServiceUnavailable (the
 * database does not answer: never an allow). Policies of resources are not judged here: the caller of `authorize` does, with
 * the owner of the resource, by what this answer says of the principal.
 */
export const identityService = defineService('identity', {
  /** Authenticates the proof and judges each check by the principal's identity policies. */
  authorize: read(AuthorizationRequestSchema, AuthorizationAnswerSchema),
  /** Judges further checks for a caller that `authorize` has named in this request (the keys of DeleteObjects). */
  decide: read(
    s.object({
      caller: CallerSchema,
      checks: s.array(AccessCheckSchema, 1100),
      context: s.optional(ConditionKeysSchema),
    }),
    s.object({ decisions: s.array(DecisionSchema, 1100), reasons: s.array(ReasonSchema, 1100) }),
  ),
  /** Errors: InvalidCredentials, the same for every reason; InvalidArgument (a session policy that is none). */
  issueToken: write(CredentialsSchema, TokenAnswerSchema),
  /** The public keys that verify tokens, as a JWK set in JSON text. */
  jwks: read(s.object({}), s.object({ json: s.string(65_536) })),
  /** Owner names of accounts, for listings. Unknown ids are left out. */
  describeAccounts: read(
    s.object({ accountIds: s.array(s.string(64), 1000) }),
    s.object({ accounts: s.array(AccountSchema) }),
  ),
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
}
