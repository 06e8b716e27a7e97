import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '@holdfast/contracts';

/*
 * A stored password: `scrypt:N:r:p:salt:hash`, salt and hash in base64url. The costs are stored, so that they can be
 * raised for new passwords while old ones still verify.
 */
const COSTS = { N: 1 << 15, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Each computation takes 32 MiB and a thread of the pool that also serves the devices. */
const RUNNING_MAX = 2;
const WAITING_MAX = 32;

interface StoredPassword {
  readonly costs: typeof COSTS;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export class PasswordHasher {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  /** The password of nobody: verifying against it takes as long as against one that exists. */
  private readonly nobody: StoredPassword = {
    costs: COSTS,
    salt: randomBytes(SALT_BYTES),
    hash: randomBytes(HASH_BYTES),
  };

  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    const hash = await this.inTurn(() => derive(password, salt, COSTS));
    const { N, r, p } = COSTS;
    return ['scrypt', N, r, p, salt.toString('base64url'), hash.toString('base64url')].join(':');
  }

  /**
   * Whether `password` is the stored one; `stored` undefined (no such user, no password) costs the same and is never true.
   * `begin` runs when the turn has come, just before the work: what it throws ends the call. Errors: SlowDown.
   */
  async verify(password: string, stored: string | undefined, begin: () => void): Promise<boolean> {
    const expected = (stored === undefined ? undefined : parse(stored)) ?? this.nobody;
    const derived = await this.inTurn(() => {
      begin();
      return derive(password, expected.salt, expected.costs);
    });
    const equal = timingSafeEqual(derived, expected.hash);
    return equal && expected !== this.nobody;
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= RUNNING_MAX) {
      if (this.waiting.length >= WAITING_MAX) throw new HoldfastError('SlowDown');
      // Whoever ends hands the place over, so `running` does not change here.
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else {
      this.running++;
    }
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }
}

function derive(password: string, salt: Buffer, { N, r, p }: typeof COSTS): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, key: Buffer): void => (error === null ? resolve(key) : reject(error));
    // One password may be typed as different code points: NFKC makes them one.
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, { N, r, p, maxmem: 256 * N * r }, done);
  });
}

function parse(stored: string): StoredPassword | undefined {
  const [kind, n, r, p, salt, hash] = stored.split(':');
  if (kind !== 'scrypt' || hash === undefined) return undefined;
  const bytes = Buffer.from(hash, 'base64url');
  if (bytes.length !== HASH_BYTES) return undefined;
  return { costs: { N: Number(n), r: Number(r), p: Number(p) }, salt: Buffer.from(salt, 'base64url'), hash: bytes };
}
