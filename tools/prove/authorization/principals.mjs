// Who asks, and by which policies. Made once per kind of request, since the policies name its actions.

const statement = (Effect, Action, more = {}) => ({ Effect, Action, Resource: '*', ...more });
const document = (...statements) => ({ Version: '2012-10-17', Statement: statements });
const everything = document(statement('Allow', 's3:*'));
const fromHere = { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } };
const fromElsewhere = { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } };

/** `account`: 'own' owns the buckets. `session`: 'plain', or the policy of the session. */
export function principalsFor(actions) {
  const exactly = document(statement('Allow', actions));
  const others = document(statement('Allow', ['s3:GetBucketRequestPayment', 'iam:*']));
  const denied = document(statement('Allow', 's3:*'), statement('Deny', actions));
  const users = [
    { name: 'owner user', identity: everything },
    { name: 'without policy' },
    { name: 'with allow', identity: exactly },
    { name: 'with allow for other actions', identity: others },
    {
      name: 'with allow for another bucket',
      identity: document(statement('Allow', actions, { Resource: 'arn:aws:s3:::x*' })),
    },
    { name: 'with NotAction', identity: document({ Effect: 'Allow', NotAction: actions, Resource: '*' }) },
    { name: 'with deny', identity: denied, deniesAlways: true },
    {
      name: 'with deny of one',
      identity: document(statement('Allow', 's3:*'), statement('Deny', actions[0])),
      deniesAlways: true,
    },
    { name: 'with a condition that holds', identity: document(statement('Allow', actions, { Condition: fromHere })) },
    {
      name: 'with a condition that fails',
      identity: document(statement('Allow', actions, { Condition: fromElsewhere })),
    },
    { name: 'within its boundary', identity: everything, boundary: exactly },
    { name: 'outside of its boundary', identity: everything, boundary: others },
    { name: 'denied by its boundary', identity: everything, boundary: denied, deniesAlways: true },
    { name: 'without policy, with a boundary', boundary: exactly },
    { name: 'session', identity: everything, session: 'plain' },
    { name: 'session within its policy', identity: everything, session: exactly },
    { name: 'session outside of its policy', identity: everything, session: others },
    { name: 'session without policy of its user', session: exactly },
    { name: 'session outside of the boundary', identity: everything, boundary: others, session: everything },
  ];
  return [
    { name: 'root', account: 'own', kind: 'root' },
    { name: 'session of root outside of its policy', account: 'own', kind: 'root', session: others },
    ...users.map((user) => ({ ...user, account: 'own', kind: 'user' })),
    { name: 'root of another account', account: 'other', kind: 'root' },
    { name: 'user of another account', account: 'other', kind: 'user', identity: everything },
    { name: 'user of another account without policy', account: 'other', kind: 'user' },
    { name: 'anonymous', kind: 'anonymous' },
  ];
}

/** Policies of the bucket, by what they say of one who asks. `who` has accountId, arn and sessionArn. */
export function placementsFor(actions, bucket, who) {
  const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
  const policy = (...statements) => ({
    Version: '2012-10-17',
    Statement: statements.map((one) => ({ Resource, ...one })),
  });
  const allow = (Principal, more = {}) => ({ Effect: 'Allow', Principal, Action: actions, ...more });
  const deny = (Principal, more = {}) => ({ ...allow(Principal, more), Effect: 'Deny' });
  const self = who.sessionArn ?? who.arn;
  return {
    none: undefined,
    'allow everybody': policy(allow('*')),
    'allow by user': who.arn === '' ? undefined : policy(allow({ AWS: who.arn })),
    'allow by session': who.sessionArn === undefined ? undefined : policy(allow({ AWS: [who.sessionArn] })),
    'allow by account': who.accountId === '' ? undefined : policy(allow({ AWS: who.accountId })),
    'allow another account': policy(allow({ AWS: 'nobody' })),
    'allow other actions': policy(allow('*', { Action: ['s3:GetBucketRequestPayment'] })),
    'allow if it is elsewhere': policy(allow('*', { Condition: fromElsewhere })),
    'deny everybody': policy(allow('*'), deny({ AWS: '*' })),
    'deny if it is here': policy(allow('*'), deny('*', { Condition: fromHere })),
    'deny all but this one':
      self === ''
        ? undefined
        : policy(allow('*'), { ...deny(undefined), Principal: undefined, NotPrincipal: { AWS: [self, 'nobody'] } }),
  };
}
