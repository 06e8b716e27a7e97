import { z } from 'zod';

/**
 * Shapes of the admin REST, in and out. Bodies and parameters are held against them; the OpenAPI document is made of the same.
 * A schema that is registered here is a component of the document by its name.
 */
export const COMPONENTS = z.registry<{ id: string }>();

function component<T extends z.ZodType>(id: string, schema: T): T {
  COMPONENTS.add(schema, { id });
  return schema;
}

/** What a page of a list may hold, and holds when nothing is said. */
const PAGE_MAX = 1000;
const PAGE_DEFAULT = 100;

/** A whole number as it stands in a path or a query. */
const numeric = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (typeof value === 'string' && /^[1-9]\d{0,9}$/.test(value) ? Number(value) : value), schema);

/** Of names and values that are the client's own. */
const recordOf = <K extends z.ZodString, V extends z.ZodType>(name: K, value: V, entriesMax: number) =>
  z.record(name, value).refine((entries) => Object.keys(entries).length <= entriesMax, {
    error: `at most ${entriesMax} names`,
    params: { maxProperties: entriesMax },
  });

/** Not `.` and not `..`: in a path those are other paths. */
const NAME = /^(?:\.{0,2}[A-Za-z0-9+=,@_-][A-Za-z0-9+=,.@_-]*|\.{3}[A-Za-z0-9+=,.@_-]*)$/;
const NAME_RULE = 'must be letters, digits and +=,.@_-, and neither . nor ..';
const name = (max: number) => z.string().min(1).max(max).regex(NAME, NAME_RULE);
export const accountId = z.string().regex(/^[0-9]{12}$/, 'must be 12 digits');
export const userName = name(64);
export const userPath = z
  .string()
  .max(512)
  .regex(/^\/(?:[\x21-\x7e]{1,510}\/)?$/, 'must be / or begin and end with one');
export const groupName = name(128);
export const policyName = name(128);
export const accountName = name(128);
export const accessKeyId = name(128);
export const bucketName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^\.{0,2}[a-z0-9-][a-z0-9.-]*$/, 'is no bucket name');
export const versionNumber = numeric(z.int().min(1).max(2_147_483_647));
const timestamp = z.iso.datetime();
const count = z.int().min(0);

export const Page = z.strictObject({
  limit: numeric(z.int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT)),
  after: z.string().min(1).max(256).regex(NAME, 'is no name').describe('`next` of the page before').optional(),
});
const next = { next: z.string().describe('`after` of the next page; absent on the last').optional() };

export const Problem = component(
  'Problem',
  z
    .strictObject({
      type: z.literal('about:blank'),
      title: z.string().describe('the error code'),
      status: z.int(),
      detail: z.string(),
    })
    .describe('RFC 9457'),
);

export const PolicyDocument = component(
  'PolicyDocument',
  z.record(z.string(), z.unknown()).describe('a policy in the grammar of AWS'),
);

export const Account = component(
  'Account',
  z.strictObject({
    accountId,
    name: z.string(),
    canonicalId: z.string().describe('Owner/ID of S3'),
    displayName: z.string().describe('Owner/DisplayName of S3'),
    email: z.string(),
    createdAt: timestamp,
  }),
);
export const AccountPage = component('AccountPage', z.strictObject({ accounts: z.array(Account), ...next }));
export const NewAccount = component(
  'NewAccount',
  z.strictObject({
    name: accountName,
    email: z.string().max(254),
    displayName: z.string().min(1).max(256).optional(),
  }),
);

export const User = component(
  'User',
  z.strictObject({
    accountId,
    userName: z.string(),
    userId: z.string(),
    path: z.string().describe('where it stands in a hierarchy; part of no name and of no ARN'),
    arn: z.string(),
    boundary: z.string().describe('name of the managed policy that bounds what the user may').optional(),
    createdAt: timestamp,
  }),
);
export const UserPage = component('UserPage', z.strictObject({ users: z.array(User), ...next }));
export const NewUser = component(
  'NewUser',
  z.strictObject({ userName, path: userPath.optional(), password: z.string().min(8).max(1024).optional() }),
);
export const Boundary = component('Boundary', z.strictObject({ policyName }));

export const AccessKey = component(
  'AccessKey',
  z.strictObject({
    accountId,
    userName: z.string().describe('empty for a key of the root of the account'),
    accessKeyId: z.string(),
    status: z.enum(['active', 'inactive']),
    createdAt: timestamp,
    lastUsedAt: timestamp.describe('to within a quarter of an hour').optional(),
  }),
);
export const AccessKeyPage = component('AccessKeyPage', z.strictObject({ accessKeys: z.array(AccessKey), ...next }));
export const NewAccessKey = component(
  'NewAccessKey',
  z.strictObject({ accessKey: AccessKey, secretAccessKey: z.string().describe('shown this once') }),
);
export const KeyStatus = component('KeyStatus', z.strictObject({ status: z.enum(['active', 'inactive']) }));

export const Group = component(
  'Group',
  z.strictObject({ accountId, groupName: z.string(), arn: z.string(), createdAt: timestamp }),
);
export const GroupPage = component('GroupPage', z.strictObject({ groups: z.array(Group), ...next }));
export const NewGroup = component('NewGroup', z.strictObject({ groupName }));

export const InlinePolicy = component(
  'InlinePolicy',
  z.strictObject({ policyName: z.string(), document: z.string().describe('JSON text as it came') }),
);
export const InlinePolicyPage = component(
  'InlinePolicyPage',
  z.strictObject({ policies: z.array(InlinePolicy), ...next }),
);
export const ManagedPolicy = component(
  'ManagedPolicy',
  z.strictObject({
    accountId,
    policyName: z.string(),
    arn: z.string(),
    description: z.string(),
    defaultVersion: z.int().min(1),
    attachments: count.describe('users and groups it is attached to, and users it bounds'),
    createdAt: timestamp,
  }),
);
export const ManagedPolicyPage = component(
  'ManagedPolicyPage',
  z.strictObject({ policies: z.array(ManagedPolicy), ...next }),
);
export const NewManagedPolicy = component(
  'NewManagedPolicy',
  z.strictObject({ policyName, description: z.string().max(1000).optional(), document: PolicyDocument }),
);
export const PolicyVersion = component(
  'PolicyVersion',
  z.strictObject({
    version: z.int().min(1),
    isDefault: z.boolean(),
    document: z.string().describe('JSON text'),
    createdAt: timestamp,
  }),
);
export const PolicyVersionList = component('PolicyVersionList', z.strictObject({ versions: z.array(PolicyVersion) }));
export const NewPolicyVersion = component(
  'NewPolicyVersion',
  z.strictObject({ document: PolicyDocument, setAsDefault: z.boolean().optional() }),
);
export const DefaultVersion = component(
  'DefaultVersion',
  z.strictObject({ version: z.int().min(1).max(2_147_483_647) }),
);

export const Simulation = component(
  'Simulation',
  z.strictObject({
    action: z.string().min(1).max(128),
    resource: z.string().min(1).max(4096),
    context: recordOf(z.string().min(1).max(256), z.array(z.string().max(1024)).max(64), 32)
      .describe('values of condition keys; how a key is cased means nothing')
      .optional(),
  }),
);
export const SimulationResult = component(
  'SimulationResult',
  z.strictObject({
    decision: z.string(),
    reason: z.strictObject({
      layer: z.string(),
      policyName: z.string().optional(),
      statement: z.int().optional(),
      sid: z.string().optional(),
    }),
  }),
);

export const Usage = component('Usage', z.strictObject({ objects: count, bytes: count }));
export const AccountUsage = component('AccountUsage', z.strictObject({ buckets: count, objects: count, bytes: count }));
export const Bucket = component(
  'Bucket',
  z.strictObject({
    name: z.string(),
    accountId: z.string(),
    createdAt: timestamp,
    homeSetId: z.int(),
    profile: z.strictObject({ k: z.int(), m: z.int(), secondary: z.boolean() }),
    versioning: z.enum(['unversioned', 'enabled', 'suspended']),
    configurations: z.array(z.string()),
    usage: Usage,
  }),
);
export const BucketPage = component('BucketPage', z.strictObject({ buckets: z.array(Bucket), ...next }));

export const StoreStatus = component(
  'StoreStatus',
  z.strictObject({
    buckets: count,
    objects: count,
    bytes: count,
    oldestReplicateMs: count,
    epoch: z.string(),
    outbox: z.record(z.string(), count),
    repairsOwed: count,
  }),
);
const Device = z.strictObject({
  deviceId: z.string(),
  slot: z.int(),
  generation: z.int(),
  state: z.enum(['live', 'failed']),
});
export const Cluster = component(
  'Cluster',
  z.strictObject({
    clusterId: z.string(),
    generation: z.int(),
    epoch: z.string(),
    sets: z.array(
      z.strictObject({
        setId: z.int(),
        state: z.enum(['active', 'draining', 'failed']),
        weight: z.int(),
        nodes: z.array(
          z.strictObject({
            nodeId: z.string(),
            address: z.string(),
            state: z.enum(['live', 'failed']),
            controllers: z.array(z.strictObject({ controllerId: z.string(), devices: z.array(Device) })),
          }),
        ),
      }),
    ),
  }),
);
export const Health = component('Health', z.strictObject({ status: z.literal('ok') }));
export const Trace = component('Trace', z.strictObject({ events: z.array(z.record(z.string(), z.unknown())) }));
export const ExplainedDecision = component(
  'ExplainedDecision',
  z.strictObject({
    requestId: z.string(),
    principal: z.string().describe('ARN of the caller, empty for anonymous'),
    session: z.string().describe('present for temporary credentials').optional(),
    allowed: z
      .boolean()
      .describe('what the operation needs was allowed; each key of a DeleteObjects is decided by itself'),
    checks: z
      .array(
        z.strictObject({
          action: z.string(),
          resource: z.string(),
          decision: z.string(),
          layer: z.string().describe('where the statement stands that decided'),
          policyName: z.string().optional(),
          statement: z.int().optional(),
          sid: z.string().optional(),
        }),
      )
      .describe('of many the first 32'),
  }),
);
export const KeySet = component('KeySet', z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())) }));

const session = {
  sessionName: z
    .string()
    .min(2)
    .max(64)
    .regex(NAME, NAME_RULE)
    .describe('this, a duration or a policy makes a session')
    .optional(),
  durationSeconds: z.int().min(1).max(43_200).optional(),
  sessionPolicy: PolicyDocument.optional(),
};
export const Credentials = component(
  'Credentials',
  z.union([
    z.strictObject({
      accessKeyId: z.string().min(1).max(256),
      secretAccessKey: z.string().min(1).max(256),
      ...session,
    }),
    z.strictObject({
      account: z.string().min(1).max(128).describe('name or id'),
      user: z.string().min(1).max(128),
      password: z.string().min(1).max(1024),
      ...session,
    }),
  ]),
);
export const Token = component(
  'Token',
  z.strictObject({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
    credentials: z
      .strictObject({
        accessKeyId: z.string(),
        secretAccessKey: z.string(),
        sessionToken: z.string(),
        expiration: timestamp,
      })
      .describe('temporary keys, when a session was asked for')
      .optional(),
  }),
);
export const Rotation = component('Rotation', z.strictObject({ endOthers: z.boolean().optional() }));
export const RotatedKey = component('RotatedKey', z.strictObject({ keyId: z.string() }));
