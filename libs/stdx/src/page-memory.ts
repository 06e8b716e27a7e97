/**
 * Memory that begins at a page, so that the kernel may read and write a disk from it without a copy (direct I/O): a plain
 * `Buffer` seldom does, a WebAssembly memory always. Such memory is known here by its `ArrayBuffer`, wherever views of it go.
 */
import { BLOCK_BYTES } from './units.js';

const WASM_PAGE_BYTES = 64 * 1024;
const known = new WeakSet<ArrayBufferLike>();

/** A WebAssembly memory of at least so many zeros; pages take room in the process only when they are touched. */
export function pageMemory(sizeBytes: number): WebAssembly.Memory {
  const pages = Math.ceil(sizeBytes / WASM_PAGE_BYTES);
  // It never grows: growing would detach what is in use.
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  known.add(memory.buffer);
  return memory;
}

/** Whether these bytes lie in such memory, and begin and end at a multiple of 4 KiB in it. */
export function isPageAligned({ buffer, byteOffset, length }: Uint8Array): boolean {
  return byteOffset % BLOCK_BYTES === 0 && length % BLOCK_BYTES === 0 && known.has(buffer);
}
