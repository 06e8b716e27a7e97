import { BlockList, isIP } from 'node:net';

/**
 * What AWS's documentation says about one request, in the plainest words: the second opinion that tests hold the evaluator
 * against. It shares no code with it, reads the documents as they are and takes all the time it needs.
 */
export interface OracleQuestion {
  /** Documents as parsed JSON; those of users, groups and managed ones. */
  readonly identity: readonly OraclePolicy[];
  readonly boundary?: OraclePolicy;
  readonly session?: OraclePolicy;
  readonly resource?: OraclePolicy;
  /** Account that owns what is asked for. */
  readonly ownerAccountId: string;
  readonly principal: OraclePrincipal;
  readonly action: string;
  readonly arn: string;
  /** Condition keys in lower case, those of the principal too. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
}

export interface OraclePrincipal {
  readonly kind: 'root' | 'user' | 'anonymous';
  readonly accountId: string;
  readonly canonicalId: string;
  readonly arn: string;
  readonly sessionArn?: string;
}

type Json = string | number | boolean;
type Many<T> = T | readonly T[];
type Principals = '*' | Readonly<Record<string, Many<string>>>;
export interface OracleStatement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal?: Principals;
  readonly NotPrincipal?: Principals;
  readonly Action?: Many<string>;
  readonly NotAction?: Many<string>;
  readonly Resource?: Many<string>;
  readonly NotResource?: Many<string>;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, Many<Json>>>>>;
}
export interface OraclePolicy {
  readonly Version?: string;
  readonly Statement: Many<OracleStatement>;
}

const listOf = <T>(given: Many<T> | undefined): readonly T[] =>
  given === undefined ? [] : Array.isArray(given) ? (given as readonly T[]) : [given as T];

export function oracleAllows(question: OracleQuestion): boolean {
  const { principal, resource, boundary, session } = question;
  const isRoot = principal.kind === 'root';
  const isAnonymous = principal.kind === 'anonymous';
  const effects = (policy: OraclePolicy | undefined): OracleStatement[] =>
    policy === undefined ? [] : listOf(policy.Statement).filter((one) => concerns(one, policy, question));
  const own = isRoot || isAnonymous ? [] : question.identity.flatMap(effects);
  const cap = isRoot || isAnonymous ? [] : effects(boundary);
  const held = isAnonymous ? [] : effects(session);
  const given = effects(resource).filter((one) => namings(one, principal).length > 0);
  if ([...own, ...cap, ...held, ...given].some(({ Effect }) => Effect === 'Deny')) return false;

  const within = (policy: OraclePolicy | undefined, found: OracleStatement[]): boolean =>
    policy === undefined || found.length > 0;
  const inBoundary = isRoot || within(boundary, cap);
  const inSession = within(session, held);
  const byIdentity = !isAnonymous && (isRoot || own.length > 0) && inBoundary && inSession;
  const how = new Set(given.flatMap((one) => namings(one, principal)));
  if (isAnonymous) return how.has('everyone');
  if (principal.accountId !== question.ownerAccountId) return byIdentity && how.size > 0;
  return (
    byIdentity ||
    how.has('session') ||
    (how.has('user') && inSession) ||
    (how.has('everyone') && inBoundary && inSession)
  );
}

type Naming = 'session' | 'user' | 'everyone' | 'account';

function namings(statement: OracleStatement, principal: OraclePrincipal): Naming[] {
  if (statement.NotPrincipal !== undefined) {
    // As AWS says: who lists a session has to list its holder too, or the holder's deny holds for the session.
    const named = namingsIn(statement.NotPrincipal, { ...principal, sessionArn: undefined });
    const itself = named.filter((one) => one !== 'account' || principal.kind === 'root');
    return itself.length > 0 ? [] : ['everyone'];
  }
  return statement.Principal === undefined ? [] : namingsIn(statement.Principal, principal);
}

function namingsIn(
  principals: Principals,
  { kind, accountId, canonicalId, arn, sessionArn }: OraclePrincipal,
): Naming[] {
  if (principals === '*') return ['everyone'];
  const names = listOf(principals.AWS);
  if (names.includes('*')) return ['everyone'];
  if (kind === 'anonymous') return [];
  const found: Naming[] = [];
  if (sessionArn !== undefined && names.includes(sessionArn)) found.push('session');
  if (kind === 'user' && names.includes(arn)) found.push('user');
  const account = names.includes(accountId) || names.includes(`arn:aws:iam::${accountId}:root`);
  if (account || listOf(principals.CanonicalUser).includes(canonicalId)) found.push('account');
  return found;
}

function concerns(statement: OracleStatement, policy: OraclePolicy, question: OracleQuestion): boolean {
  const { action, arn, keys } = question;
  const named = (patterns: Many<string> | undefined): boolean =>
    listOf(patterns).some((one) => regExp(pieces(one, undefined) ?? [], false, 'i').test(action));
  if (statement.NotAction === undefined ? !named(statement.Action) : named(statement.NotAction)) return false;
  const variables = policy.Version === '2012-10-17' ? keys : undefined;
  const resources = listOf(statement.Resource ?? statement.NotResource).map((one) =>
    one === '*' ? true : matchesArn(one, arn, variables),
  );
  const hit = resources.includes(true);
  if (statement.NotResource === undefined) {
    if (!hit) return false;
  } else {
    if (hit || (statement.Effect === 'Allow' && resources.includes(undefined))) return false;
  }
  return Object.entries(statement.Condition ?? {}).every(([operator, wanted]) =>
    Object.entries(wanted).every(([key, values]) =>
      conditionIsTrue(operator, keys[key.toLowerCase()] ?? [], listOf(values), variables, statement.Effect),
    ),
  );
}

type Keys = OracleQuestion['keys'];

function conditionIsTrue(
  operator: string,
  given: readonly string[],
  wanted: readonly Json[],
  variables: Keys | undefined,
  effect: OracleStatement['Effect'],
): boolean {
  if (operator === 'Null') return wanted.some((one) => (String(one) === 'true') === (given.length === 0));
  const ifExists = operator.endsWith('IfExists');
  const [base, quantifier] = operator.replace('IfExists', '').split(':').reverse();
  const negative = base.includes('Not');
  if (given.length === 0) return ifExists || quantifier === 'ForAllValues' || (negative && quantifier === undefined);
  if (quantifier === 'ForAllValues' && given.every((one) => one === '')) return true;
  const table = given.map((value) =>
    wanted.map((one) => compare(base.replace('Not', ''), value, String(one), variables)),
  );
  if (negative && effect === 'Allow' && table[0].includes(undefined)) return false;
  const good = table.map((row) => row.includes(true) !== negative);
  if (quantifier === 'ForAllValues') return good.every(Boolean);
  if (quantifier === 'ForAnyValue') return good.some(Boolean);
  return negative ? good.every(Boolean) : good.some(Boolean);
}

/** undefined: the policy's value has a variable without a value. */
function compare(operator: string, given: string, wanted: string, variables: Keys | undefined): boolean | undefined {
  switch (operator) {
    case 'StringEquals':
    case 'StringEqualsIgnoreCase':
    case 'StringLike': {
      const parts = pieces(wanted, variables);
      if (parts === undefined) return undefined;
      const literal = operator !== 'StringLike';
      return regExp(parts, literal, operator === 'StringEqualsIgnoreCase' ? 'i' : '').test(given);
    }
    case 'NumericEquals':
      return Number(given) === Number(wanted);
    case 'NumericLessThan':
      return Number(given) < Number(wanted);
    case 'NumericLessThanEquals':
      return Number(given) <= Number(wanted);
    case 'NumericGreaterThan':
      return Number(given) > Number(wanted);
    case 'NumericGreaterThanEquals':
      return Number(given) >= Number(wanted);
    case 'DateEquals':
      return Date.parse(given) === Date.parse(wanted);
    case 'DateLessThan':
      return Date.parse(given) < Date.parse(wanted);
    case 'DateLessThanEquals':
      return Date.parse(given) <= Date.parse(wanted);
    case 'DateGreaterThan':
      return Date.parse(given) > Date.parse(wanted);
    case 'DateGreaterThanEquals':
      return Date.parse(given) >= Date.parse(wanted);
    case 'Bool':
    case 'BinaryEquals':
      return given === wanted;
    case 'IpAddress':
      return isWithin(given, wanted);
    case 'ArnEquals':
    case 'ArnLike':
      return matchesArn(wanted, given, variables);
    default:
      throw new Error(`the oracle does not know ${operator}`);
  }
}

function isWithin(address: string, range: string): boolean {
  const [base, length] = range.split('/');
  if (isIP(address) === 0 || isIP(address) !== isIP(base)) return false;
  const family = isIP(base) === 4 ? 'ipv4' : 'ipv6';
  const block = new BlockList();
  block.addSubnet(base, Number(length ?? (family === 'ipv4' ? 32 : 128)), family);
  return block.check(address, family);
}

interface Piece {
  readonly text: string;
  /** Came from a variable, or is an escape: no wildcard in it counts. */
  readonly plain: boolean;
}

/** The text with its variables replaced. */
function pieces(text: string, variables: Keys | undefined): Piece[] | undefined {
  if (variables === undefined) return [{ text, plain: false }];
  const parts: Piece[] = [];
  for (const part of text.split(/(\$\{[^}]*\})/)) {
    const inner = /^\$\{([^}]*)\}$/.exec(part)?.[1];
    if (inner === undefined) parts.push({ text: part, plain: false });
    else if (['*', '?', '$'].includes(inner)) parts.push({ text: inner, plain: true });
    else {
      const [name, fallback] = inner.split(',').map((one) => one.trim());
      const values = variables[name.toLowerCase()] ?? [];
      const value = values.length === 1 ? values[0] : fallback?.replaceAll("'", '');
      if (value === undefined) return undefined;
      parts.push({ text: value, plain: true });
    }
  }
  return parts;
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

function regExp(parts: readonly Piece[], literal: boolean, flags: string): RegExp {
  const source = parts.map(({ text, plain }) =>
    plain || literal
      ? escaped(text)
      : [...text].map((one) => (one === '*' ? '.*' : one === '?' ? '.' : escaped(one))).join(''),
  );
  return new RegExp(`^${source.join('')}$`, `s${flags}`);
}

/** Each of the six parts of an ARN by itself. undefined as in `compare`. */
function matchesArn(pattern: string, arn: string, variables: Keys | undefined): boolean | undefined {
  const parts = pieces(pattern, variables);
  if (parts === undefined) return undefined;
  let colons = 0;
  let source = '';
  for (const { text, plain } of parts) {
    for (const one of text) {
      const any = colons < 5 ? '[^:]' : '.';
      if (one === '*' && !plain) source += `${any}*`;
      else if (one === '?' && !plain) source += any;
      else source += escaped(one);
      if (one === ':') colons += 1;
    }
  }
  return new RegExp(`^${source}$`, 's').test(arn);
}
