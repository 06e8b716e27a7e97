// Policy documents: any JSON is read or refused, and what is read is judged as the grammar says, in time that follows its length.
import { compilePolicy, judgePrincipal } from '@holdfast/iam-policy';
import { mutated } from '../mutations.mjs';
import { expectSame } from '../trial.mjs';

const caller = {
  kind: 'user',
  accountId: '100000000000',
  canonicalId: 'c',
  displayName: 'main',
  userName: 'ann',
  userId: 'ann',
  arn: 'arn:aws:iam::100000000000:user/ann',
};
const actions = [
  's3:*',
  '*',
  's3:GetObject',
  's3:Get*',
  's3:?etObject',
  's3:PUTOBJECT',
  'iam:*',
  's3:*Object*',
  's3:Get*ject',
];
const asked = ['s3:GetObject', 's3:PutObject', 's3:GetObjectTagging', 'iam:CreateUser', 's3:ListBucket'];
const resourcePieces = ['*', '?', 'a', 'b', '/', 'public', 'é', '.', '+', '(', '[', '$', '\\'];
const tokens = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '\\u0000',
    '\\ud800',
    'null',
    'true',
    '1e999',
    '-0',
    '"Effect"',
    '"Deny"',
    '"Allow"',
  ],
  ...[
    '"Condition"',
    '"StringLike"',
    '"NotAction"',
    '"Principal"',
    '"aws:SourceIp"',
    '"${aws:username}"',
    '${',
    '*',
    '?',
    '**',
  ],
  ...[
    '"__proto__"',
    '"constructor"',
    '"Resource"',
    '"arn:aws:s3:::*"',
    '"2012-10-17"',
    '"2008-10-17"',
    '"IpAddress"',
    '"999.0.0.0/33"',
  ],
  ...['"DateLessThan"', '"NumericEquals"', '"ForAllValues:StringEquals"', '"Null"', '[[[[[[[[', '{"a":'],
];
const conditions = [
  { StringLike: { 'aws:username': ['a*', '?nn'] } },
  { StringNotEquals: { 'aws:username': 'bob' } },
  { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] } },
  { DateLessThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' } },
  { NumericLessThanEquals: { 's3:max-keys': '10' } },
  { Bool: { 'aws:SecureTransport': 'true' } },
  { 'ForAllValues:StringEqualsIfExists': { 's3:prefix': ['a', 'b'] } },
  { Null: { 'aws:TokenIssueTime': 'false' } },
  { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:user/*' } },
];

const glob = (draw, most) => draw.several(most, () => draw.of(resourcePieces)).join('');
const statement = (draw) => ({
  Effect: draw.chance(0.7) ? 'Allow' : 'Deny',
  Action: draw.chance(0.5) ? draw.of(actions) : [draw.of(actions), draw.of(actions)],
  Resource: draw.several(2, () => `arn:aws:s3:::${glob(draw, 5)}`).concat(`arn:aws:s3:::${glob(draw, 5)}`),
});

/** Does the pattern match? By a table over all prefixes of both: as slow and as plain as it gets. */
function globMatches(pattern, text) {
  let row = [true, ...Array.from(text, () => false)];
  for (const mark of pattern) {
    const next = [mark === '*' && row[0]];
    for (let at = 1; at <= text.length; at += 1)
      next[at] = mark === '*' ? row[at] || next[at - 1] : row[at - 1] && (mark === '?' || mark === text[at - 1]);
    row = next;
  }
  return row[text.length];
}

function expectedDecision(statements, action, resource) {
  const applies = ({ Action, Resource }) =>
    [Action].flat().some((pattern) => globMatches(pattern.toLowerCase(), action.toLowerCase())) &&
    Resource.some((pattern) => globMatches([...pattern], [...resource]));
  const applying = statements.filter(applies);
  if (applying.some(({ Effect }) => Effect === 'Deny')) return 'explicit-deny';
  return applying.length > 0 ? 'allow' : 'no-allow';
}

const requestKeys = { 'aws:sourceip': ['10.1.2.3'], 'aws:epochtime': ['1790000000'], 's3:prefix': ['a', 'c'] };

function judge(document, action, resource) {
  const policy = compilePolicy('fuzzed', document);
  return judgePrincipal({ caller, policies: [policy] }, { action, resource }, requestKeys).decision;
}

/** A policy of 20 KiB with 2,000 wildcards and more, and a name that almost matches them. */
function hostile(draw) {
  const unit = draw.of(['*a', 'a*', '*a?', '?*a', '**a', '*?*a']);
  const perResource = draw.of([1, 20, 300, 2500]);
  const resources = [];
  let sizeBytes = 200;
  for (;;) {
    const resource = `arn:aws:s3:::${unit.repeat(perResource)}${draw.of(['b', '', '*b'])}`;
    sizeBytes += resource.length + 3;
    if (sizeBytes > 20_000) break;
    resources.push(resource);
  }
  if (resources.length === 0) resources.push(`arn:aws:s3:::${unit.repeat(2000)}b`);
  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Deny', Action: '*', Resource: resources },
  });
  return { document, resource: `arn:aws:s3:::${draw.of(['a', 'aa', 'ab']).repeat(500)}c` };
}

const asRegExp = (pattern) =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    's',
  );

export const policies = {
  name: 'policy',
  share: 18,
  subject: judge,
  planted: {
    'wildcards become a regular expression': (document, action, resource) => {
      const { Statement } = JSON.parse(document);
      for (const pattern of [Statement.Resource ?? []].flat().slice(0, 1))
        asRegExp(pattern.slice(0, 60)).test(resource);
      return judge(document, action, resource);
    },
    'an allow is enough': (document, action, resource) =>
      judge(document.replaceAll('"Deny"', '"Allow"'), action, resource),
    'a condition is passed over': (document, action, resource) => judge(document, action, resource.replace(/\?/g, '')),
    'what is no object is an error of the reader itself': (document, action, resource) => {
      JSON.parse(document).Statement.length;
      return judge(document, action, resource);
    },
  },
  trial(draw, trial, judgeDocument) {
    const action = draw.of(asked);
    const kind = draw.fraction();
    if (kind < 0.01) {
      const { document, resource } = hostile(draw);
      trial.outcome(() => judgeDocument(document, action, resource));
      return;
    }
    const statements = [statement(draw), ...draw.several(2, () => statement(draw))];
    const resource = `arn:aws:s3:::${glob(draw, 6)}`;
    if (kind < 0.45) {
      const document = JSON.stringify({ Version: '2012-10-17', Statement: statements });
      const { value } = trial.outcome(() => judgeDocument(document, action, resource));
      expectSame(value, expectedDecision(statements, action, resource), `${document} on ${action} ${resource}`);
      return;
    }
    const conditioned = statements.map((one) => (draw.chance(0.6) ? { ...one, Condition: draw.of(conditions) } : one));
    const document = mutated(JSON.stringify({ Version: '2012-10-17', Statement: conditioned }), draw, tokens, 30_000);
    trial.outcome(() => judgeDocument(document, action, resource));
  },
};
