import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { HoldfastError } from '@holdfast/contracts';

/*
 * A sealed secret, format 1 (AES-256-GCM):
 *   u8 format = 1, 4 bytes of the key's mark, 12 bytes nonce, 16 bytes tag, ciphertext
 * The mark tells a wrong cluster secret from a damaged row. Authenticated beside the ciphertext, not stored: the context,
 * which names the row that the secret belongs to. So nobody who can write to the database can give one row another's secret.
 */
const FORMAT = 1;
const MARK_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + MARK_BYTES + NONCE_BYTES + TAG_BYTES;
export const CLUSTER_SECRET_BYTES_MIN = 32;

/** Seals and opens the secrets that lie in the database, under a key that does not lie there. */
export class SealingKey {
  private readonly key: Buffer;
  private readonly mark: Buffer;
  private readonly fingerprintKey: Buffer;

  /** `clusterSecret`: at least 32 random bytes. The keys used here are derived from it and serve nothing else. */
  constructor(clusterSecret: Buffer) {
    if (clusterSecret.length < CLUSTER_SECRET_BYTES_MIN) {
      const needed = `at least ${CLUSTER_SECRET_BYTES_MIN} bytes are needed`;
      throw new HoldfastError('InvalidArgument', `The cluster secret has ${clusterSecret.length} bytes; ${needed}.`);
    }
    const derive = (purpose: string, bytes: number): Buffer =>
      Buffer.from(hkdfSync('sha256', clusterSecret, '', `holdfast identity ${purpose} 1`, bytes));
    this.key = derive('sealing', 32);
    this.mark = derive('sealing mark', MARK_BYTES);
    this.fingerprintKey = derive('fingerprint', 32);
  }

  /** `context` names the one place where the result may be used: `access-key:ID`. */
  seal(secret: Buffer, context: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(context));
    const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([Buffer.from([FORMAT]), this.mark, nonce, cipher.getAuthTag(), ciphertext]);
  }

  /** Errors: InternalError for another cluster secret, another context, or damage. */
  open(sealed: Buffer, context: string): Buffer {
    if (sealed.length < HEAD_BYTES || sealed[0] !== FORMAT) throw unreadable(context, 'is not in a known format');
    const markEnd = 1 + MARK_BYTES;
    const nonceEnd = markEnd + NONCE_BYTES;
    if (!sealed.subarray(1, markEnd).equals(this.mark)) {
      throw unreadable(
        context,
        'was sealed under another cluster secret; start with the secret that the database began with',
      );
    }
    const decipher = createDecipheriv('aes-256-gcm', this.key, sealed.subarray(markEnd, nonceEnd), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(sealed.subarray(nonceEnd, HEAD_BYTES));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES)), decipher.final()]);
    } catch (error) {
      throw unreadable(context, 'is damaged or belongs to another row', error);
    }
  }

  /** Changes when `secret` changes and tells nothing about it to one who lacks the cluster secret. */
  fingerprint(secret: string): string {
    return createHmac('sha256', this.fingerprintKey).update(secret).digest('base64url').slice(0, 22);
  }
}

function unreadable(context: string, problem: string, cause?: unknown): HoldfastError {
  return new HoldfastError('InternalError', `The sealed secret of ${context} ${problem}.`, {}, { cause });
}
