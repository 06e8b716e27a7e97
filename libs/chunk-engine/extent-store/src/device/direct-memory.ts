/**
 * Memory that the kernel may write to a device without a copy. Direct I/O wants page-aligned addresses, which a plain
 * `Buffer` seldom has; a WebAssembly memory always begins at a page. It never grows: growing would detach what is in use.
 */
/** What is used of it; the name is not in the libraries that this project compiles against. */
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};

const WASM_PAGE_BYTES = 64 * 1024;

/** `sizeBytes` zeros that begin at a page of memory. They take room in the process only as they are touched. */
export function directMemory(sizeBytes: number): Buffer {
  const pages = Math.ceil(sizeBytes / WASM_PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  return Buffer.from(memory.buffer, 0, sizeBytes);
}
