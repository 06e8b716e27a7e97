/**
 * The thread that hashes large bodies (see worker-body-digest.ts). Only erasable TypeScript: Node runs this file as it is
 * where the sources are not compiled.
 */
import { createHash, type Hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';

interface Body {
  readonly md5: Hash;
  readonly sha256: Hash | undefined;
}

/** To the worker: a body begins, bytes of it in order in a slab of the shared memory, its end, or that nobody wants it any more. */
type Order =
  | { readonly kind: 'begin'; readonly id: number; readonly sha256: boolean }
  | { readonly kind: 'bytes'; readonly id: number; readonly slab: number; readonly sizeBytes: number }
  | { readonly kind: 'finish'; readonly id: number }
  | { readonly kind: 'discard'; readonly id: number };

const { memory, slabBytes } = workerData as { readonly memory: SharedArrayBuffer; readonly slabBytes: number };
const bodies = new Map<number, Body>();

parentPort?.on('message', (order: Order) => {
  if (order.kind === 'begin') {
    bodies.set(order.id, { md5: createHash('md5'), sha256: order.sha256 ? createHash('sha256') : undefined });
    return;
  }
  const body = bodies.get(order.id);
  if (order.kind === 'bytes') {
    const bytes = Buffer.from(memory, order.slab * slabBytes, order.sizeBytes);
    body?.md5.update(bytes);
    body?.sha256?.update(bytes);
    parentPort?.postMessage({ freeSlab: order.slab });
    return;
  }
  if (body === undefined) return;
  bodies.delete(order.id);
  if (order.kind === 'finish') {
    parentPort?.postMessage({ id: order.id, md5: body.md5.digest(), sha256Hex: body.sha256?.digest('hex') });
  }
});
