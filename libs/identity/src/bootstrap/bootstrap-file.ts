import { readFile } from 'node:fs/promises';
import { HoldfastError } from '@holdfast/contracts';
import { ConfigError } from '@holdfast/service-host';
import { parsePolicy } from '@holdfast/iam-policy';
import { z } from 'zod';

/**
 * Accounts and users that exist from the start, from a JSON file:
 *   { ACCOUNT: { access_key, secret_key, user_id, display_name, email, tenant?, users? }, … }
 *   users: { USER: { access_key?, secret_key?, policies? }, … }, policies: { POLICY: its document, … }
 * No message of this file shows a value of it: it may be a secret.
 */
export interface BootstrapAccount {
  readonly name: string;
  readonly canonicalId: string;
  readonly displayName: string;
  readonly email: string;
  /** Of the account's root. */
  readonly key: BootstrapKey;
  readonly users: readonly BootstrapUser[];
}
export interface BootstrapKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}
export interface BootstrapUser {
  readonly userName: string;
  readonly key?: BootstrapKey;
  readonly policies: readonly { readonly policyName: string; readonly document: string }[];
}
export interface Bootstrap {
  /** Named in errors. */
  readonly file: string;
  readonly accounts: readonly BootstrapAccount[];
}

const LETTERS = 'letters, digits and +=,.@_-';
/** In the path of a request these are other paths. */
const namedNoStep = (schema: z.ZodString): z.ZodString =>
  schema.refine((name) => name !== '.' && name !== '..', 'is no name');
const text = (pattern: RegExp, expected: string): z.ZodString =>
  z.string({ error: `expected ${expected}` }).regex(pattern, { error: `expected ${expected}`, abort: true });
const accountName = namedNoStep(text(/^[A-Za-z0-9+=,.@_-]{1,128}$/, `an account name of 1 to 128 ${LETTERS}`))
  .refine((name) => name.toLowerCase() !== 'root', 'root is the account of the root credentials')
  .refine((name) => !/^\d{12}$/.test(name), 'looks like an account id');
const userName = namedNoStep(text(/^[A-Za-z0-9+=,.@_-]{1,64}$/, `a user name of 1 to 64 ${LETTERS}`)).refine(
  (name) => name.toLowerCase() !== 'root',
  'root is the account itself',
);
const policyName = namedNoStep(text(/^[A-Za-z0-9+=,.@_-]{1,128}$/, `a policy name of 1 to 128 ${LETTERS}`));
const accessKey = text(/^[A-Za-z0-9+=,.@_-]{3,128}$/, `3 to 128 ${LETTERS}`);
const secretKey = text(/^[\x21-\x7e]{8,256}$/, '8 to 256 printable ASCII characters');
const policy = z.record(z.string(), z.unknown(), { error: 'expected an object' });
const user = z
  .strictObject({
    access_key: accessKey.optional(),
    secret_key: secretKey.optional(),
    policies: z.record(policyName, policy).optional(),
  })
  .refine((one) => (one.access_key === undefined) === (one.secret_key === undefined), {
    error: 'give both access_key and secret_key, or neither',
  });
const account = z
  .strictObject({
    access_key: accessKey,
    secret_key: secretKey,
    user_id: text(/^[A-Za-z0-9+=,.@_$:-]{1,128}$/, 'a canonical id of 1 to 128 letters, digits and +=,.@_$:-'),
    display_name: text(/^[^\p{Cc}\p{Cs}]{1,256}$/u, '1 to 256 characters and no control characters'),
    email: text(/^[^\p{Cc}\p{Cs}\s]{0,254}$/u, 'at most 254 characters and no blanks'),
    tenant: text(/^[A-Za-z0-9_-]{1,64}$/, '1 to 64 letters, digits, _ and -').optional(),
    users: z.record(userName, user).optional(),
  })
  .refine((one) => one.tenant === undefined || one.user_id.startsWith(`${one.tenant}$`), {
    path: ['tenant'],
    error: 'expected what stands in user_id before its $',
  });
const document = z.record(accountName, account, { error: 'expected an object of accounts' });

/** Errors: ConfigError, which names the file and the field. */
export async function readBootstrapFile(file: string): Promise<Bootstrap> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(`the bootstrap file ${file} cannot be read (${code ?? 'unknown error'})`);
  }
  return parseBootstrap(content, file);
}

/** Errors: ConfigError, which names the file and the field. */
export function parseBootstrap(content: string, file: string): Bootstrap {
  const parsed = document.safeParse(parseJson(content, file));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${placeOf(issue.path)}: ${problemOf(issue)}`);
    throw refusal(file, problems.slice(0, 10).join('; '));
  }
  const accounts = Object.entries(parsed.data).map(([name, one]) => ({
    name,
    canonicalId: one.user_id,
    displayName: one.display_name,
    email: one.email,
    key: { accessKeyId: one.access_key, secretAccessKey: one.secret_key },
    users: Object.entries(one.users ?? {}).map(([userName, given]) => userOf(file, name, userName, given)),
  }));
  refuseRepeated(file, accounts);
  return { file, accounts };
}

/** What can only be known once the database was asked. */
export function bootstrapConflict(file: string, place: string, problem: string): HoldfastError {
  return new HoldfastError(
    'InvalidArgument',
    `The bootstrap file ${file} does not fit this store: ${place}: ${problem}.`,
  );
}

/** Refuses `accessKeyId`, that of the root credentials: two would answer to one name. Errors: InvalidArgument. */
export function refuseKey({ file, accounts }: Bootstrap, accessKeyId: string): void {
  for (const { name, key, users } of accounts) {
    const holders = users.map((one) => ({ place: `${name}.users.${one.userName}`, id: one.key?.accessKeyId }));
    const taken = [{ place: name, id: key.accessKeyId }, ...holders].find(({ id }) => id === accessKeyId);
    if (taken) throw bootstrapConflict(file, `${taken.place}.access_key`, 'it is the key of the root credentials');
  }
}

function userOf(file: string, accountOfUser: string, name: string, given: z.infer<typeof user>): BootstrapUser {
  const policies = Object.entries(given.policies ?? {}).map(([policyOfUser, value]) => {
    const place = `${accountOfUser}.users.${name}.policies.${policyOfUser}`;
    const text = JSON.stringify(value);
    try {
      parsePolicy(text);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      // Of a policy error the place alone: its message may show values.
      throw refusal(file, `${place}.${error.details.Place ?? 'document'}: not a policy`);
    }
    return { policyName: policyOfUser, document: text };
  });
  const { access_key: accessKeyId, secret_key: secretAccessKey } = given;
  const hasKey = accessKeyId !== undefined && secretAccessKey !== undefined;
  return { userName: name, policies, ...(hasKey ? { key: { accessKeyId, secretAccessKey } } : {}) };
}

/** The parser's own message shows a piece of the text, which may be a secret: the place is told and no more. */
function parseJson(content: string, file: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    const position = / position (\d+)/.exec((error as Error).message)?.[1];
    if (position === undefined) throw refusal(file, 'it is not JSON');
    const before = content.slice(0, Number(position)).split('\n');
    throw refusal(file, `it is not JSON at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`);
  }
}

function refuseRepeated(file: string, accounts: readonly BootstrapAccount[]): void {
  const seen = new Map<string, string>();
  const claim = (kind: string, value: string, place: string): void => {
    const other = seen.get(`${kind} ${value}`);
    if (other !== undefined) throw refusal(file, `${place}: the same as ${other}`);
    seen.set(`${kind} ${value}`, place);
  };
  for (const { name, canonicalId, email, key, users } of accounts) {
    claim('name', name.toLowerCase(), name);
    claim('user_id', canonicalId, `${name}.user_id`);
    if (email !== '') claim('email', email.toLowerCase(), `${name}.email`);
    claim('key', key.accessKeyId, `${name}.access_key`);
    for (const one of users) {
      const place = `${name}.users.${one.userName}`;
      claim(`user of ${name}`, one.userName.toLowerCase(), place);
      if (one.key !== undefined) claim('key', one.key.accessKeyId, `${place}.access_key`);
    }
  }
}

const placeOf = (path: readonly PropertyKey[]): string => path.map(String).join('.') || 'the file';

function problemOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown ${issue.keys.map((key) => key.slice(0, 64)).join(', ')}`;
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? 'not a name';
  return issue.message;
}

function refusal(file: string, problem: string): ConfigError {
  return new ConfigError(`the bootstrap file ${file} is not valid: ${problem}`);
}
