import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@holdfast/stdx';
import jwt from 'jsonwebtoken';
import { SealingKey } from '../domain/sealing.js';
import { encodeClaims } from '../domain/token-claims.js';
import type { TokenKeyRow } from '../sql/token-key-store.js';
import { TokenCodec } from './token-codec.js';
import { newTokenKey, TokenKeyRing } from './token-key-ring.js';

const sealing = new SealingKey(Buffer.alloc(32, 3));
const caller = {
  kind: 'user' as const,
  accountId: '111111111111',
  canonicalId: 'c',
  displayName: 'd',
  userName: 'u',
  arn: 'arn',
  userId: 'user-id',
};
const ours = encodeClaims(caller, 'user-id', { kind: 'access-key', accessKeyId: 'HFAK' });
const SETTINGS = { issuer: 'holdfast', audience: 'holdfast', lifetimeSeconds: 3_600, rememberMs: 1_000 };
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('access tokens', () => {
  let clock: ManualClock;
  let rows: TokenKeyRow[];
  let codec: TokenCodec;
  let privateKey: KeyObject;
  let publicKey: KeyObject;
  let keyId: string;
  beforeEach(() => {
    clock = new ManualClock();
    const row = newTokenKey(sealing);
    rows = [row];
    const store = { list: async () => rows, rotate: async () => undefined };
    codec = new TokenCodec(new TokenKeyRing(store, sealing, clock, SETTINGS.rememberMs, 3_600), clock, SETTINGS);
    keyId = row.key_id;
    const der = sealing.open(row.sealed_private_key, `token-key:${keyId}`);
    privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    publicKey = createPublicKey({ key: row.public_key as JsonWebKey, format: 'jwk' });
  });

  const nowSeconds = (): number => Math.floor(clock.nowMs() / 1000);
  const goodPayload = () => ({ ...ours, iss: 'holdfast', aud: 'holdfast', iat: nowSeconds(), exp: nowSeconds() + 60 });
  /** Signed with our own key: what is wrong is in the header or the claims alone. */
  const signOurs = (payload: object, header: object = {}): string =>
    jwt.sign(payload, privateKey, { algorithm: 'ES256', header: { alg: 'ES256', kid: keyId, ...header } });
  const without = (name: string): object =>
    Object.fromEntries(Object.entries(goodPayload()).filter(([key]) => key !== name));
  const refusal = (token: string): Promise<unknown> =>
    codec.verify(token).then(
      () => 'accepted',
      (error: unknown) => error,
    );

  it('carry the claims until they expire', async () => {
    const { accessToken, expiresInSeconds } = await codec.sign(ours);
    expect(expiresInSeconds).toBe(3_600);
    const claims = await codec.verify(accessToken);
    expect(claims).toMatchObject({
      accountId: '111111111111',
      userName: 'u',
      userId: 'user-id',
      credential: { kind: 'access-key', accessKeyId: 'HFAK' },
    });
    clock.advance(3_599_000);
    expect(await codec.verify(accessToken)).toEqual(claims);
    clock.advance(999);
    expect(await codec.verify(accessToken)).toEqual(claims);
    clock.advance(1_001);
    expect(await refusal(accessToken)).toMatchObject({ code: 'ExpiredToken', status: 401 });
  });

  it('seed-3.2 XD2: a token whose signature is still remembered expires on the second', async () => {
    const token = signOurs({ ...goodPayload(), exp: nowSeconds() + 1 });
    clock.advance(500);
    await codec.verify(token);
    clock.advance(499);
    await codec.verify(token);
    clock.advance(1);
    expect(await refusal(token)).toMatchObject({ code: 'ExpiredToken' });
  });

  it('accepts a token of the shape that the attacks below change', async () => {
    await expect(codec.verify(signOurs(goodPayload()))).resolves.toMatchObject({ userName: 'u' });
  });

  it('seed-3.2 XD2: a token with any one character of its signature changed is refused', async () => {
    const token = signOurs(goodPayload());
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = token.at(-1) ?? '';
    for (const other of [...alphabet].filter((character) => character !== last)) {
      expect(await refusal(token.slice(0, -1) + other)).toMatchObject({ code: 'InvalidToken' });
    }
    for (const tail of ['=', '==', 'A', '.', ' ']) {
      expect(await refusal(token + tail)).toMatchObject({ code: 'InvalidToken' });
    }
  });

  it.each(['none', 'None', 'NONE', 'nOnE', ''])('seed-3.2 XD1: alg %j without a signature is refused', async (alg) => {
    for (const header of [
      { alg, typ: 'JWT', kid: keyId },
      { alg, typ: 'JWT' },
    ]) {
      expect(await refusal(`${part(header)}.${part(goodPayload())}.`)).toMatchObject({
        code: 'InvalidToken',
        status: 401,
      });
    }
  });

  it('seed-3.2 XD1: HMAC with the public key as its secret is refused', async () => {
    const pem = publicKey.export({ format: 'pem', type: 'spki' });
    const secrets = [
      pem,
      Buffer.from(JSON.stringify(rows[0].public_key)),
      publicKey.export({ format: 'der', type: 'spki' }),
    ];
    for (const alg of ['HS256', 'HS384', 'HS512', 'ES256']) {
      for (const secret of secrets) {
        const signed = `${part({ alg, typ: 'JWT', kid: keyId })}.${part(goodPayload())}`;
        const digest = alg === 'ES256' ? 'sha256' : `sha${alg.slice(2)}`;
        const token = `${signed}.${createHmac(digest, secret).update(signed).digest('base64url')}`;
        expect(await refusal(token)).toMatchObject({ code: 'InvalidToken', status: 401 });
      }
    }
  });

  it('seed-3.2 XD1: keys that the token brings or points to are not used', async () => {
    const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signOwn = (header: object): string =>
      jwt.sign(goodPayload(), own.privateKey, { algorithm: 'ES256', header: { alg: 'ES256', kid: keyId, ...header } });
    const jwk = own.publicKey.export({ format: 'jwk' });
    const headers = [
      {},
      { jwk },
      { jku: 'http://127.0.0.1/jwks' },
      { x5u: 'http://127.0.0.1/x' },
      { x5c: ['x'] },
      { kid: 'other' },
    ];
    for (const header of headers) expect(await refusal(signOwn(header))).toMatchObject({ code: 'InvalidToken' });
    for (const header of headers.slice(1)) {
      expect(await refusal(signOurs(goodPayload(), header))).toMatchObject({ code: 'InvalidToken' });
    }
  });

  it('seed-3.2 XD1: odd key ids and unknown critical headers are refused', async () => {
    const kids = [
      '',
      '../../dev/null',
      "' OR 1=1 --",
      'http://127.0.0.1/key',
      '__proto__',
      0,
      null,
      [keyId],
      { kid: keyId },
    ];
    for (const kid of kids) {
      const signed = `${part({ alg: 'ES256', typ: 'JWT', kid })}.${part(goodPayload())}`;
      expect(await refusal(`${signed}.${signOurs(goodPayload()).split('.')[2]}`)).toMatchObject({
        code: 'InvalidToken',
      });
    }
    expect(await refusal(signOurs(goodPayload(), { crit: ['exp'] }))).toMatchObject({ code: 'InvalidToken' });
    const noKeyId = jwt.sign(goodPayload(), privateKey, { algorithm: 'ES256' });
    expect(await refusal(noKeyId)).toMatchObject({ code: 'InvalidToken' });
  });

  it('seed-3.2 XD2: a missing or expired exp, a future nbf, another issuer or audience, missing claims', async () => {
    const expired = { ...goodPayload(), exp: nowSeconds() - 1 };
    expect(await refusal(signOurs(expired))).toMatchObject({ code: 'ExpiredToken', status: 401 });
    const payloads = [
      { ...goodPayload(), exp: 'tomorrow' },
      { ...goodPayload(), nbf: nowSeconds() + 3_600 },
      { ...goodPayload(), iss: 'other' },
      { ...goodPayload(), aud: 'other' },
      { ...goodPayload(), account: 7 },
      { ...goodPayload(), credential: 'master' },
      { ...goodPayload(), credential: 'access-key:' },
      ...['exp', 'iss', 'aud', 'account', 'user', 'user_id', 'credential'].map(without),
    ];
    for (const payload of payloads) {
      // Signed by hand: the library refuses to sign some of these.
      const signed = `${part({ alg: 'ES256', typ: 'JWT', kid: keyId })}.${part(payload)}`;
      const signature = signWithoutChecks(privateKey, signed);
      expect(await refusal(`${signed}.${signature}`)).toMatchObject({ code: 'InvalidToken', status: 401 });
    }
  });

  it('seed-3.2 XD2: an empty signature, an oversized token and text that is no token', async () => {
    const [header, payload] = signOurs(goodPayload()).split('.');
    const long = signOurs({ ...goodPayload(), padding: 'x'.repeat(8_192) });
    for (const token of [
      `${header}.${payload}.`,
      `${header}.${payload}`,
      long,
      'x'.repeat(1_000_000),
      '',
      '.',
      '..',
      'a.b.c',
    ]) {
      expect(await refusal(token)).toMatchObject({ code: 'InvalidToken', status: 401 });
    }
  });

  it('seed-3.2 XD3: a token of another store, or cut anywhere, is refused', async () => {
    const foreignRow = newTokenKey(new SealingKey(Buffer.alloc(32, 4)));
    const store = { list: async () => [foreignRow], rotate: async () => undefined };
    const foreignRing = new TokenKeyRing(store, new SealingKey(Buffer.alloc(32, 4)), clock, 1_000, 3_600);
    const foreign = await new TokenCodec(foreignRing, clock, SETTINGS).sign(ours);
    expect(await refusal(foreign.accessToken)).toMatchObject({ code: 'InvalidToken' });
    const { accessToken } = await codec.sign(ours);
    for (let length = 0; length < accessToken.length; length += 7) {
      expect(await refusal(accessToken.slice(0, length))).toMatchObject({ code: 'InvalidToken' });
    }
  });

  it('XD4: tokens signed with the cluster secret or another sealed key are refused; a key that is gone verifies nothing', async () => {
    const token = signOurs(goodPayload());
    for (const secret of [Buffer.alloc(32, 3), 'root-secret', keyId]) {
      const signed = `${part({ alg: 'HS256', typ: 'JWT', kid: keyId })}.${part(goodPayload())}`;
      const forged = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
      expect(await refusal(forged)).toMatchObject({ code: 'InvalidToken' });
    }
    await codec.verify(token);
    rows = [newTokenKey(sealing)];
    clock.advance(1_000);
    expect(await refusal(token)).toMatchObject({ code: 'InvalidToken' });
  });

  it('a public key put into the database by someone else is not believed', async () => {
    const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    rows = [{ ...rows[0], public_key: own.publicKey.export({ format: 'jwk' }) as Record<string, unknown> }];
    const forged = jwt.sign(goodPayload(), own.privateKey, { algorithm: 'ES256', keyid: keyId });
    expect(await refusal(forged)).toMatchObject({ code: 'InvalidToken' });
  });
});

function signWithoutChecks(privateKey: KeyObject, signed: string): string {
  return sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}
