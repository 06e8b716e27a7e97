import { hash, timingSafeEqual } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
/** Longer texts get a buffer of their own. */
const SCRATCH_BYTES = 4096;
/** A character of a text takes up to three bytes in UTF-8. */
const CHARACTER_BYTES_MAX = 3;

/** The message, the signature given and the right one of the call under way: none waits, so the next cannot meet them. */
const scratch = Buffer.alloc(BLOCK_BYTES + SCRATCH_BYTES);
const given = Buffer.alloc(DIGEST_BYTES);
const right = Buffer.alloc(DIGEST_BYTES);

/**
 * A key that checks signatures all day, by HMAC-SHA-256 (RFC 2104). Its two padded blocks are made once: two one-shot hashes
 * whose digests come as text cost a third of an HMAC object of the runtime.
 */
export class PaddedKey {
  private readonly inner: Buffer;
  private readonly outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);

  /** @param bytes at most 64: a longer key would have to be hashed first */
  constructor(readonly bytes: Buffer) {
    if (bytes.length > BLOCK_BYTES) throw new RangeError(`a key of ${bytes.length} bytes`);
    const block = Buffer.concat([bytes], BLOCK_BYTES);
    this.inner = Buffer.from(block.map((byte) => byte ^ INNER_PAD));
    this.outer.set(block.map((byte) => byte ^ OUTER_PAD));
  }

  /** Whether `signature` (hex) is that of the text in UTF-8. Takes the same time wherever they differ. */
  verifies(text: string, signature: string): boolean {
    if (signature.length !== 2 * DIGEST_BYTES || given.write(signature, 'hex') !== DIGEST_BYTES) return false;
    const sizeBytesMax = text.length * CHARACTER_BYTES_MAX;
    const message = sizeBytesMax <= SCRATCH_BYTES ? scratch : Buffer.alloc(BLOCK_BYTES + sizeBytesMax);
    message.set(this.inner);
    const sizeBytes = BLOCK_BYTES + message.write(text, BLOCK_BYTES, 'utf8');
    this.outer.write(hash('sha256', message.subarray(0, sizeBytes), 'hex'), BLOCK_BYTES, 'hex');
    right.write(hash('sha256', this.outer, 'hex'), 'hex');
    return timingSafeEqual(given, right);
  }
}
