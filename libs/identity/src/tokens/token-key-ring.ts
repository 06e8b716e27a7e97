import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Clock } from '@holdfast/stdx';
import { BoundedMap } from '../domain/bounded-map.js';
import { FreshCache } from '../domain/fresh-cache.js';
import type { SealingKey } from '../domain/sealing.js';
import type { TokenKeyRow, TokenKeyStore } from '../sql/token-key-store.js';

export const TOKEN_ALGORITHM = 'ES256';

export interface TokenKey {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** As published. */
  readonly publicJwk: Readonly<Record<string, unknown>>;
}

/** A thumbprint: 32 bytes in base64url. */
const KEY_ID = /^[\w-]{43}$/;

const sealingContext = (keyId: string): string => `token-key:${keyId}`;

/** The keys that sign tokens and verify them, as of at most `lifetimeMs` ago. Only keys of this ring are ever looked up. */
export class TokenKeyRing {
  private readonly keys: FreshCache<TokenKey[]>;
  /** Keys that were asked for by name and not among `keys`. */
  private readonly missed: FreshCache<TokenKey>;
  /** A key never changes, so it is opened once. */
  private readonly opened = new BoundedMap<string, TokenKey>(100);

  constructor(
    private readonly store: Pick<TokenKeyStore, 'list' | 'rotate'>,
    private readonly sealing: SealingKey,
    clock: Clock,
    lifetimeMs: number,
    /** How long a key that signs no longer is still needed: the longest life of a token. */
    private readonly keepSeconds: number,
  ) {
    this.missed = new FreshCache(clock, lifetimeMs, 1_000, async (keyId) => {
      const row = (await this.store.list()).find((one) => one.key_id === keyId);
      return row && this.open(row);
    });
    this.keys = new FreshCache(clock, lifetimeMs, 1, async () =>
      (await this.store.list()).map((row) => this.open(row)),
    );
  }

  /** Makes the first key at the first start; fails where the keys were sealed under another cluster secret. */
  async prepare(): Promise<void> {
    const rows = await this.store.list();
    for (const row of rows) this.open(row);
    if (rows.length === 0) await this.store.rotate(newTokenKey(this.sealing), 0);
  }

  async findKey(keyId: string): Promise<TokenKey | undefined> {
    const known = (await this.all()).find((key) => key.keyId === keyId);
    if (known !== undefined || !KEY_ID.test(keyId)) return known;
    // Another instance may have rotated a moment ago.
    return this.missed.peek(keyId) ?? this.missed.get(keyId);
  }

  /** Makes a new key that signs from now on, in this process at once; others follow within the life of what they remember. */
  async rotate(endOthers: boolean): Promise<string> {
    const row = newTokenKey(this.sealing);
    try {
      await this.store.rotate(row, endOthers ? 0 : this.keepSeconds);
    } finally {
      this.keys.clear();
      this.missed.clear();
    }
    return row.key_id;
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
