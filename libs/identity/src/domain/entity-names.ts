import { randomBytes, randomInt } from 'node:crypto';
import { HoldfastError } from '@holdfast/contracts';
import { charactersOf, hasAtMost } from '@holdfast/stdx';

/** Names and ids of accounts, users, keys and policies: what they may look like, and how new ones are made. */
const NAME = /^[A-Za-z0-9+=,.@_-]{1,128}$/;
const USER_NAME_LENGTH_MAX = 64;
const ACCOUNT_ID = /^\d{12}$/;
/** Keys that this service made, and those of a bootstrap file. Root's own, from the environment, may look otherwise. */
const ACCESS_KEY_ID = /^[A-Za-z0-9+=,.@_-]{3,128}$/;
const EMAIL_LENGTH_MAX = 254;
const DESCRIPTION_LENGTH_MAX = 1_000;
const DISPLAY_NAME_LENGTH_MAX = 256;

export const isName = (text: string): boolean => NAME.test(text);
export const isAccountId = (text: string): boolean => ACCOUNT_ID.test(text);
export const isAccessKeyId = (text: string): boolean => ACCESS_KEY_ID.test(text);

const ALLOWED = 'letters, digits and +=,.@_-, and neither . nor ..';
/** Nothing new is called `.` or `..`: in the path of a request those are other paths. */
const isNewName = (name: string): boolean => NAME.test(name) && name !== '.' && name !== '..';

export function checkAccountName(name: string): void {
  if (!isNewName(name)) throw invalid('AccountName', `expected 1 to 128 ${ALLOWED}`);
  // An account is found by name or by id: a name must not look like the id of another.
  if (ACCOUNT_ID.test(name)) throw invalid('AccountName', 'expected a name that does not look like an account id');
}

export function checkUserName(name: string): void {
  if (!isNewName(name) || name.length > USER_NAME_LENGTH_MAX) {
    throw invalid('UserName', `expected 1 to ${USER_NAME_LENGTH_MAX} ${ALLOWED}`);
  }
  if (name.toLowerCase() === 'root') throw invalid('UserName', 'root is the account itself');
}

const PATH = /^\/(?:[\x21-\x7e]{1,510}\/)?$/;

export function checkPath(path: string): void {
  if (!PATH.test(path)) throw invalid('Path', 'expected / or up to 512 visible ASCII characters between slashes');
}

const SESSION_NAME = /^[A-Za-z0-9+=,.@_-]{2,64}$/;

export function checkSessionName(name: string): void {
  if (!SESSION_NAME.test(name)) throw invalid('SessionName', `expected 2 to 64 ${ALLOWED}`);
}

export function checkGroupName(name: string): void {
  if (!isNewName(name)) throw invalid('GroupName', `expected 1 to 128 ${ALLOWED}`);
}

export function checkDescription(description: string): void {
  if (!hasAtMost(DESCRIPTION_LENGTH_MAX, description) || /[\p{Cc}\p{Cs}]/u.test(description)) {
    throw invalid('Description', `expected at most ${DESCRIPTION_LENGTH_MAX} characters and no control characters`);
  }
}

export function checkDisplayName(name: string): void {
  if (name === '' || !hasAtMost(DISPLAY_NAME_LENGTH_MAX, name) || /[\p{Cc}\p{Cs}]/u.test(name)) {
    throw invalid('DisplayName', `expected 1 to ${DISPLAY_NAME_LENGTH_MAX} characters and no control characters`);
  }
}

export function checkPolicyName(name: string): void {
  if (!isNewName(name)) throw invalid('PolicyName', `expected 1 to 128 ${ALLOWED}`);
}

export function checkEmail(email: string): void {
  if (!hasAtMost(EMAIL_LENGTH_MAX, email) || /[\p{Cc}\p{Cs}\s]/u.test(email)) {
    throw invalid('Email', `expected at most ${EMAIL_LENGTH_MAX} characters and no blanks`);
  }
}

const PASSWORD_LENGTH_MIN = 8;

export function checkPassword(password: string): void {
  if (charactersOf(password) < PASSWORD_LENGTH_MIN || /\p{Cs}/u.test(password)) {
    throw invalid('Password', `expected at least ${PASSWORD_LENGTH_MIN} characters`);
  }
}

export function invalid(argumentName: string, problem: string): HoldfastError {
  return new HoldfastError('InvalidArgument', `${argumentName}: ${problem}.`, { ArgumentName: argumentName });
}

const sentence = (problem: string): string => `${problem[0].toUpperCase()}${problem.slice(1)}.`;
const unknown = (problem: string): HoldfastError => new HoldfastError('NoSuchEntity', sentence(problem));
export const unknownAccount = (): HoldfastError => unknown('there is no such account');
export const unknownUser = (problem = 'the account has no such user'): HoldfastError => unknown(problem);
export const unknownGroup = (): HoldfastError => unknown('the account has no such group');
export const unknownKey = (): HoldfastError => unknown('there is no such access key');
export const unknownPolicy = (problem = 'the account has no such policy'): HoldfastError => unknown(problem);
export const alreadyExists = (problem: string): HoldfastError =>
  new HoldfastError('EntityAlreadyExists', sentence(problem));
export const deleteConflict = (problem: string): HoldfastError =>
  new HoldfastError('DeleteConflict', sentence(problem));
export const limitExceeded = (problem: string): HoldfastError => new HoldfastError('LimitExceeded', sentence(problem));

/** How much of each there may be. Those of policies bound what a request may cost to judge. */
export const LIMITS = {
  usersPerAccount: 5_000,
  groupsPerAccount: 300,
  policiesPerAccount: 1_500,
  /** Of a user, or of the root of an account. */
  keysPerOwner: 2,
  groupsPerUser: 10,
  attachmentsPerHolder: 10,
  versionsPerPolicy: 5,
  /** Without blanks. */
  managedPolicyCharacters: 6_144,
  userPoliciesBytes: 64 * 1024,
  groupPoliciesBytes: 5_120,
} as const;

const UPPER_CASE_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const LETTERS_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

function randomText(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** 20 upper-case letters and digits. */
export const newAccessKeyId = (): string => `HFAK${randomText(UPPER_CASE_AND_DIGITS, 16)}`;
/** 20 upper-case letters and digits, apart from lasting keys by its beginning. */
export const newTemporaryKeyId = (): string => `HFTK${randomText(UPPER_CASE_AND_DIGITS, 16)}`;
/** 40 letters and digits: 238 bits. */
export const newSecretAccessKey = (): string => randomText(LETTERS_AND_DIGITS, 40);
/** Tells a user from a later one of the same name. */
export const newUserId = (): string => `HFID${randomText(UPPER_CASE_AND_DIGITS, 16)}`;
export const newGroupId = (): string => `HFGD${randomText(UPPER_CASE_AND_DIGITS, 16)}`;
export const newPolicyId = (): string => `HFPD${randomText(UPPER_CASE_AND_DIGITS, 16)}`;
export const newCanonicalId = (): string => randomBytes(32).toString('hex');
/** 12 digits, the first not 0: tools that read numbers keep all of them. */
export const newAccountId = (): string => String(randomInt(100_000_000_000, 1_000_000_000_000));

export const rootArn = (accountId: string): string => `arn:aws:iam::${accountId}:root`;
export const groupArn = (accountId: string, groupName: string): string =>
  `arn:aws:iam::${accountId}:group/${groupName}`;
export const policyArn = (accountId: string, policyName: string): string =>
  `arn:aws:iam::${accountId}:policy/${policyName}`;
export const sessionArn = (accountId: string, sessionName: string): string =>
  `arn:aws:sts::${accountId}:federated-user/${sessionName}`;
export const userArn = (accountId: string, userName: string): string => `arn:aws:iam::${accountId}:user/${userName}`;
