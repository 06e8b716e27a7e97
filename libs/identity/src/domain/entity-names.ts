import { randomBytes, randomInt } from 'node:crypto';
import { HoldfastError } from '@holdfast/contracts';

/** Names and ids of accounts, users, keys and policies: what they may look like, and how new ones are made. */
const NAME = /^[A-Za-z0-9+=,.@_-]{1,128}$/;
const USER_NAME_LENGTH_MAX = 64;
const ACCOUNT_ID = /^\d{12}$/;
/** Keys that this service made. Root's own, from the environment, may look otherwise. */
const ACCESS_KEY_ID = /^[A-Z0-9]{20}$/;
const EMAIL_LENGTH_MAX = 254;

export const isName = (text: string): boolean => NAME.test(text);
export const isAccountId = (text: string): boolean => ACCOUNT_ID.test(text);
export const isAccessKeyId = (text: string): boolean => ACCESS_KEY_ID.test(text);

const ALLOWED = 'letters, digits and +=,.@_-';

export function checkAccountName(name: string): void {
  if (!NAME.test(name)) throw invalid('AccountName', `expected 1 to 128 ${ALLOWED}`);
  // An account is found by name or by id: a name must not look like the id of another.
  if (ACCOUNT_ID.test(name)) throw invalid('AccountName', 'expected a name that does not look like an account id');
}

export function checkUserName(name: string): void {
  if (!NAME.test(name) || name.length > USER_NAME_LENGTH_MAX) {
    throw invalid('UserName', `expected 1 to ${USER_NAME_LENGTH_MAX} ${ALLOWED}`);
  }
  if (name.toLowerCase() === 'root') throw invalid('UserName', 'root is the account itself');
}

export function checkPolicyName(name: string): void {
  if (!NAME.test(name)) throw invalid('PolicyName', `expected 1 to 128 ${ALLOWED}`);
}

export function checkEmail(email: string): void {
  if (email.length > EMAIL_LENGTH_MAX || /[\p{Cc}\p{Cs}\s]/u.test(email)) {
    throw invalid('Email', `expected at most ${EMAIL_LENGTH_MAX} characters and no blanks`);
  }
}

const PASSWORD_LENGTH_MIN = 8;

export function checkPassword(password: string): void {
  if (password.length < PASSWORD_LENGTH_MIN || /\p{Cs}/u.test(password)) {
    throw invalid('Password', `expected at least ${PASSWORD_LENGTH_MIN} characters`);
  }
}

export function invalid(argumentName: string, problem: string): HoldfastError {
  return new HoldfastError('InvalidArgument', `${argumentName}: ${problem}.`, { ArgumentName: argumentName });
}

export const unknownAccount = (): HoldfastError => invalid('AccountId', 'there is no such account');
export const unknownUser = (): HoldfastError => invalid('UserName', 'the account has no such user');

const UPPER_CASE_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const LETTERS_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

function randomText(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** 20 upper-case letters and digits. */
export const newAccessKeyId = (): string => `HFAK${randomText(UPPER_CASE_AND_DIGITS, 16)}`;
/** 40 letters and digits: 238 bits. */
export const newSecretAccessKey = (): string => randomText(LETTERS_AND_DIGITS, 40);
/** Tells a user from a later one of the same name. */
export const newUserId = (): string => `HFID${randomText(UPPER_CASE_AND_DIGITS, 16)}`;
export const newCanonicalId = (): string => randomBytes(32).toString('hex');
/** 12 digits, the first not 0: tools that read numbers keep all of them. */
export const newAccountId = (): string => String(randomInt(100_000_000_000, 1_000_000_000_000));

export const rootArn = (accountId: string): string => `arn:aws:iam::${accountId}:root`;
export const userArn = (accountId: string, userName: string): string => `arn:aws:iam::${accountId}:user/${userName}`;
