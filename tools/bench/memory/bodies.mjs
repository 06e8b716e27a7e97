// Bodies that differ from each other in every 4 KiB, made as they are sent and known by their SHA-256: bytes of another body,
// or from another place of the same one, never pass for the right ones.
import { createHash } from 'node:crypto';

const MIB = 1024 ** 2;
const stampEveryBytes = 4096;

export class Bodies {
  #block;
  #made = 0;

  constructor(seed) {
    this.#block = Buffer.concat(
      Array.from({ length: 32_768 }, (_, at) => createHash('sha256').update(`${seed}/${at}`).digest()),
    );
  }

  /** A new body: { sizeBytes, sha256, pieces() }. Sizes are whole MiB. */
  next(sizeBytes) {
    this.#made += 1;
    const number = this.#made;
    const block = this.#block;
    const pieces = function* () {
      for (let at = 0; at < sizeBytes; at += MIB) {
        const piece = Buffer.from(block);
        for (let stamp = 0; stamp < MIB; stamp += stampEveryBytes) {
          piece.writeUInt32LE(number, stamp);
          piece.writeUInt32LE((at + stamp) / stampEveryBytes, stamp + 4);
        }
        yield piece;
      }
    };
    const hash = createHash('sha256');
    for (const piece of pieces()) hash.update(piece);
    return { sizeBytes, sha256: hash.digest('hex'), pieces };
  }
}
