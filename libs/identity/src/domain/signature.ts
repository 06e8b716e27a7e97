import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { BoundedMap } from './bounded-map.js';
import { PaddedKey } from './padded-key.js';

/** Where and for which day a key signs: the credential scope of Signature Version 4. */
export interface SigningScope {
  /** yyyymmdd */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The day's signing key: AWS Signature Version 4, task 3. 32 bytes. */
export function deriveSigningKey(secret: string, { date, region, service }: SigningScope): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), 'aws4_request');
}

const SIGNATURE = /^[0-9a-f]{64}$/;
const DATE = /^\d{8}$/;

interface RememberedKey {
  readonly secret: string;
  readonly signingKey: PaddedKey;
}

/** Checks signatures and remembers the signing keys of those that were right: what is guessed at takes no room. */
export class SignatureChecker {
  private readonly remembered: BoundedMap<string, RememberedKey>;
  constructor(entriesMax = 10_000) {
    this.remembered = new BoundedMap(entriesMax);
  }

  /** The signing key when `signature` (64 hex digits) is that of `stringToSign`, else undefined. */
  check(
    accessKeyId: string,
    secret: string,
    signed: SigningScope & { readonly stringToSign: string; readonly signature: string },
  ): Buffer | undefined {
    if (!DATE.test(signed.date) || !SIGNATURE.test(signed.signature)) return undefined;
    // Region and service come from the request and may hold any character: their lengths keep the parts apart.
    const { date, region, service } = signed;
    const name = `${accessKeyId} ${date} ${region.length} ${region} ${service}`;
    const known = this.remembered.get(name);
    const current = known?.secret === secret ? known : undefined;
    const signingKey = current?.signingKey ?? new PaddedKey(deriveSigningKey(secret, signed));
    if (!signingKey.verifies(signed.stringToSign, signed.signature)) return undefined;
    if (current === undefined) this.remembered.set(name, { secret, signingKey });
    return signingKey.bytes;
  }
}

/**
 * Whether `signature` (base64) is that of `stringToSign` (a byte string) by AWS Signature Version 2, which signs with the
 * secret itself.
 */
export function matchesSignatureV2(secret: string, stringToSign: string, signature: string): boolean {
  const expected = createHmac('sha1', secret).update(stringToSign, 'latin1').digest('base64');
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, Buffer.from(expected));
}

/** Compares secrets of any length without telling by the time where they differ. */
export function secretsEqual(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
