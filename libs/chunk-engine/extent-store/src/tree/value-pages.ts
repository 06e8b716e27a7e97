/**
 * Values past a page: they lie in pages of their own, 4,032 bytes in each, and the cell holds a reference to them:
 *
 *   u32 length of the value | per page: u32 page, u32 checksum
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import * as Page from './page.js';
import type { PageStore } from './page-store.js';

const PER_PAGE_BYTES = BLOCK_BYTES - Page.PAGE_HEADER_BYTES;

/** Writes the value into new pages; returns the reference. */
export function storeValue(pages: PageStore, treeId: number, value: Buffer): Buffer {
  const count = Math.ceil(value.length / PER_PAGE_BYTES);
  const reference = Buffer.alloc(4 + 8 * count);
  reference.writeUInt32LE(value.length, 0);
  for (let index = 0; index < count; index += 1) {
    const node = pages.fresh(Page.PageKind.value, treeId, 0);
    const part = value.subarray(index * PER_PAGE_BYTES, (index + 1) * PER_PAGE_BYTES);
    part.copy(node.bytes, Page.PAGE_HEADER_BYTES);
    node.checksum = Page.sealPage(node.bytes, Page.PAGE_HEADER_BYTES + part.length);
    reference.writeUInt32LE(node.number, 4 + 8 * index);
    reference.writeUInt32LE(node.checksum, 8 + 8 * index);
  }
  return reference;
}

/** Page numbers and checksums that a reference names. */
export function* valueRefs(reference: Buffer): Generator<{ page: number; checksum: number }> {
  for (let at = 4; at < reference.length; at += 8)
    yield { page: reference.readUInt32LE(at), checksum: reference.readUInt32LE(at + 4) };
}

/** The value, or undefined when one of its pages is not in memory. */
export function outsideValue(pages: PageStore, reference: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (const { page, checksum } of valueRefs(reference)) {
    const node = pages.find(page, checksum);
    if (node === undefined) return undefined;
    parts.push(node.bytes.subarray(Page.PAGE_HEADER_BYTES, Page.lengthOf(node.bytes)));
  }
  return Buffer.concat(parts);
}

export function dropValue(pages: PageStore, reference: Buffer): void {
  for (const { page } of valueRefs(reference)) pages.drop(page);
}
