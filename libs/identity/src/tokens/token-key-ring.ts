import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Clock } from '@holdfast/stdx';
import { BoundedMap } from '../domain/bounded-map.js';
import { FreshCache } from '../domain/fresh-cache.js';
import type { SealingKey } from '../domain/sealing.js';
import type { IdentityStore, TokenKeyRow } from '../sql/identity-store.js';

export const TOKEN_ALGORITHM = 'ES256';

export interface TokenKey {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** As published. */
  readonly publicJwk: Readonly<Record<string, unknown>>;
}

const sealingContext = (keyId: string): string => `token-key:${keyId}`;

/** The keys that sign tokens and verify them, as of at most `lifetimeMs` ago. Only keys of this ring are ever looked up. */
export class TokenKeyRing {
  private readonly keys: FreshCache<TokenKey[]>;
  /** A key never changes, so it is opened once. */
  private readonly opened = new BoundedMap<string, TokenKey>(100);

  constructor(
    private readonly store: Pick<IdentityStore, 'listTokenKeys' | 'addTokenKey'>,
    private readonly sealing: SealingKey,
    clock: Clock,
    lifetimeMs: number,
  ) {
    this.keys = new FreshCache(clock, lifetimeMs, 1, async () =>
      (await this.store.listTokenKeys()).map((row) => this.open(row)),
    );
  }

  /** Makes the first key at the first start; fails where the keys were sealed under another cluster secret. */
  async prepare(): Promise<void> {
    const rows = await this.store.listTokenKeys();
    for (const row of rows) this.open(row);
    if (rows.length === 0) await this.store.addTokenKey(newTokenKey(this.sealing));
  }

  async findKey(keyId: string): Promise<TokenKey | undefined> {
    return (await this.all()).find((key) => key.keyId === keyId);
  }

  /** Undefined when the database lost its keys. */
  async signingKey(): Promise<TokenKey | undefined> {
    return (await this.all())[0];
  }

  async all(): Promise<TokenKey[]> {
    return this.keys.peek('all') ?? (await this.keys.get('all')) ?? [];
  }

  private open(row: TokenKeyRow): TokenKey {
    const known = this.opened.get(row.key_id);
    if (known !== undefined) return known;
    const pkcs8 = this.sealing.open(row.sealed_private_key, sealingContext(row.key_id));
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    // Derived from the sealed half: whoever can write to the database cannot put a public key of their own in its place.
    const publicKey = createPublicKey(privateKey);
    const key = { keyId: row.key_id, privateKey, publicKey, publicJwk: publicJwkOf(publicKey) };
    this.opened.set(row.key_id, key);
    return key;
  }
}

export function newTokenKey(sealing: SealingKey): TokenKeyRow {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicJwk = publicJwkOf(publicKey);
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
  const keyId = publicJwk.kid;
  return { key_id: keyId, public_key: publicJwk, sealed_private_key: sealing.seal(pkcs8, sealingContext(keyId)) };
}

function publicJwkOf(publicKey: KeyObject): Record<string, unknown> & { kid: string } {
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
  // The key id is the key's thumbprint (RFC 7638: these members, in this order).
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return { kty, crv, x, y, kid, alg: TOKEN_ALGORITHM, use: 'sig' };
}
