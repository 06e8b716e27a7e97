// Bugs that the proof has to see: each changes what a port answers as the bug would.

const answering = (port, changes) =>
  new Proxy(port, {
    get(target, name) {
      const method = Reflect.get(target, name);
      const change = changes[name];
      if (typeof method !== 'function') return method;
      return async (...given) => {
        const answer = await method.apply(target, given);
        return change === undefined ? answer : change(answer);
      };
    },
  });

const mapping = (from) => (answer) => ({
  ...answer,
  decisions: answer.decisions.map((decision) => (decision === from ? 'allow' : decision)),
});
const deciding = (from) => (ports) => ({
  ...ports,
  identity: answering(ports.identity, { authorize: mapping(from), decide: mapping(from) }),
});

/** The text of a stored bucket policy, changed. */
const rewriting = (change) => (answer) => {
  if (answer.document === undefined) return answer;
  const stored = JSON.parse(answer.document);
  if (typeof stored.text !== 'string') return answer;
  const policy = JSON.parse(stored.text);
  policy.Statement = change([policy.Statement].flat());
  return { ...answer, document: JSON.stringify({ ...stored, text: JSON.stringify(policy) }) };
};
const policies = (change) => (ports) => ({
  ...ports,
  metadata: answering(ports.metadata, { bucketConfiguration: rewriting(change) }),
});

export const faults = {
  'identity-deny-ignored': deciding('explicit-deny'),
  'boundary-ignored': deciding('outside-boundary'),
  'session-policy-ignored': deciding('outside-session'),
  'missing-allow-ignored': deciding('no-allow'),
  'cross-account-allow': (ports) => {
    // Whoever asks last owns every bucket that is read next.
    let accountId = '';
    const remember = (answer) => {
      accountId = answer.caller.accountId;
      return answer;
    };
    const owned = (answer) =>
      answer.bucket === undefined ? answer : { ...answer, bucket: { ...answer.bucket, accountId } };
    return {
      ...ports,
      identity: answering(ports.identity, { authorize: remember }),
      metadata: answering(ports.metadata, {
        findBucket: owned,
        findObject: owned,
        listObjects: owned,
        listVersions: owned,
      }),
    };
  },
  'bucket-deny-ignored': policies((statements) => {
    const allowing = statements.filter(({ Effect }) => Effect === 'Allow');
    return allowing.length > 0 ? allowing : statements;
  }),
  'bucket-condition-ignored': policies((statements) => statements.map(({ Condition: _, ...rest }) => rest)),
  'bucket-principal-ignored': policies((statements) =>
    statements.map(({ NotPrincipal: _, ...rest }) => ({ ...rest, Principal: '*' })),
  ),
};
