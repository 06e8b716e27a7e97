/**
 * The thread that hashes large bodies (see worker-body-digest.ts). Only erasable TypeScript: Node runs this file as it is
 * where the sources are not compiled.
 */
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

interface Body {
  readonly md5: Hash;
  readonly sha256: Hash | undefined;
}

/** To the worker: a body begins, bytes of it in order, its end, or that nobody wants it any more. */
type Order =
  | { readonly kind: 'begin'; readonly id: number; readonly sha256: boolean }
  | { readonly kind: 'bytes'; readonly id: number; readonly pieces: readonly Uint8Array[] }
  | { readonly kind: 'finish'; readonly id: number }
  | { readonly kind: 'discard'; readonly id: number };

const bodies = new Map<number, Body>();

parentPort?.on('message', (order: Order) => {
  if (order.kind === 'begin') {
    bodies.set(order.id, { md5: createHash('md5'), sha256: order.sha256 ? createHash('sha256') : undefined });
    return;
  }
  const body = bodies.get(order.id);
  if (body === undefined) return;
  if (order.kind === 'bytes') {
    let sizeBytes = 0;
    for (const piece of order.pieces) {
      body.md5.update(piece);
      body.sha256?.update(piece);
      sizeBytes += piece.length;
    }
    parentPort?.postMessage({ id: order.id, hashedBytes: sizeBytes });
    return;
  }
  bodies.delete(order.id);
  if (order.kind === 'finish') {
    parentPort?.postMessage({ id: order.id, md5: body.md5.digest(), sha256Hex: body.sha256?.digest('hex') });
  }
});
