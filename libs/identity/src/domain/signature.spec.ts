import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { deriveSigningKey, matchesSignatureV2, secretsEqual, SignatureChecker } from './signature.js';

const scope = { date: '20120215', region: 'us-east-1', service: 'iam' };
const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const signatureOf = (usedSecret: string, stringToSign: string): string =>
  createHmac('sha256', deriveSigningKey(usedSecret, scope)).update(stringToSign).digest('hex');

describe('signatures', () => {
  it('derives the signing key of the example that AWS publishes', () => {
    const expected = 'f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d';
    expect(deriveSigningKey(secret, scope).toString('hex')).toBe(expected);
  });

  it('accepts a right signature, the first time and from memory', () => {
    const checker = new SignatureChecker();
    for (const stringToSign of ['first', 'second']) {
      const signed = { ...scope, stringToSign, signature: signatureOf(secret, stringToSign) };
      expect(checker.check('A', secret, signed)).toEqual(deriveSigningKey(secret, scope));
      expect(checker.check('A', secret, { ...signed, stringToSign: 'other' })).toBeUndefined();
    }
  });

  it('does not use the remembered key of another secret', () => {
    const checker = new SignatureChecker();
    const signed = { ...scope, stringToSign: 's', signature: signatureOf(secret, 's') };
    expect(checker.check('A', secret, signed)).toBeDefined();
    expect(checker.check('A', 'new secret', signed)).toBeUndefined();
    expect(checker.check('A', 'new secret', { ...signed, signature: signatureOf('new secret', 's') })).toBeDefined();
  });

  it('keeps apart regions and services whose names run together', () => {
    const checker = new SignatureChecker();
    const signed = (region: string, service: string) => {
      const key = deriveSigningKey(secret, { ...scope, region, service });
      return {
        ...scope,
        region,
        service,
        stringToSign: 's',
        signature: createHmac('sha256', key).update('s').digest('hex'),
      };
    };
    expect(checker.check('A', secret, signed('a b', 'c'))).toBeDefined();
    expect(checker.check('A', secret, signed('a', 'b c'))).toBeDefined();
    expect(checker.check('A', secret, { ...signed('a b', 'c'), region: 'a', service: 'b c' })).toBeUndefined();
  });

  it('refuses what is not 64 lower-case hex digits or not a date', () => {
    const checker = new SignatureChecker();
    const signature = signatureOf(secret, 's');
    const signed = { ...scope, stringToSign: 's', signature };
    for (const other of ['', signature.toUpperCase(), signature.slice(2), `${signature}zz`, 'z'.repeat(64)]) {
      expect(checker.check('A', secret, { ...signed, signature: other })).toBeUndefined();
    }
    expect(checker.check('A', secret, { ...signed, date: '2012-02-15' })).toBeUndefined();
  });

  it('version 2: accepts the example that AWS publishes, and nothing near it', () => {
    const key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
    const text = 'GET\n\n\n1175139620\n/johnsmith/photos/puppy.jpg';
    const signature = 'NpgCjnDzrM+WFzoENXmpNDUsSn8=';
    expect(matchesSignatureV2(key, text, signature)).toBe(true);
    expect(matchesSignatureV2(`${key}x`, text, signature)).toBe(false);
    expect(matchesSignatureV2(key, `${text}?acl`, signature)).toBe(false);
    for (const other of [
      '',
      signature.slice(0, -1),
      `${signature}=`,
      `é${signature.slice(1)}`,
      `M${signature.slice(1)}`,
    ]) {
      expect(matchesSignatureV2(key, text, other)).toBe(false);
    }
  });

  it('version 2: the string to sign is bytes', () => {
    const signature = createHmac('sha1', 'secret').update('/b/k?response-expires=é').digest('base64');
    const bytes = Buffer.from('/b/k?response-expires=é').toString('latin1');
    expect(matchesSignatureV2('secret', bytes, signature)).toBe(true);
    expect(matchesSignatureV2('secret', '/b/k?response-expires=é', signature)).toBe(false);
  });

  it('compares secrets of different lengths', () => {
    expect(secretsEqual('abc', 'abc')).toBe(true);
    expect(secretsEqual('abc', 'abcd')).toBe(false);
    expect(secretsEqual('', 'a')).toBe(false);
  });
});
