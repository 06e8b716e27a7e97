import { BLOCK_BYTES, isPageAligned, WholeBuffer } from '@holdfast/stdx';
import { LARGE_UNIT_MIN_BYTES, unitMemory, type LentBytes } from './device/unit-memory.js';
import { ExtentStoreError } from './extent-store-error.js';
import { roundUp } from './format/device-layout.js';

const ZEROS = Buffer.alloc(BLOCK_BYTES);

export type Pull = () => AsyncIterable<Buffer>;

/**
 * All bytes of a transfer, as the buffers that came; they must not change until the unit is durable. At once when they are
 * there as a whole.
 * @throws ExtentStoreError ShortTransfer unless exactly `sizeBytes` come
 */
export function pullExactly(pull: Pull, sizeBytes: number): Buffer[] | Promise<Buffer[]> {
  const buffers: Buffer[] = [];
  const pulling = pullEach(pull, sizeBytes, (buffer) => buffers.push(buffer));
  return pulling === undefined ? buffers : pulling.then(() => buffers);
}

/** Bytes of a unit in whole blocks, zeros behind the last byte. */
export interface PulledBlocks {
  readonly buffers: readonly Buffer[];
  /** Nothing is written from them any more. */
  release(): void;
}

/**
 * As `pullExactly`; what is large enough to be written past the page cache, in memory that allows it. Bytes that lie in such
 * memory already stay where they are; others are copied as they come, and their own memory is free at once.
 */
export async function pullBlocks(pull: Pull, sizeBytes: number): Promise<PulledBlocks> {
  if (sizeBytes < LARGE_UNIT_MIN_BYTES) {
    const buffers = await pullExactly(pull, sizeBytes);
    return { buffers: [...buffers, ZEROS.subarray(0, roundUp(sizeBytes) - sizeBytes)], release: () => undefined };
  }
  const wholeBytes = sizeBytes - (sizeBytes % BLOCK_BYTES);
  let memory: LentBytes | undefined;
  let whole: Buffer | undefined;
  let at = 0;
  try {
    await pullEach(pull, sizeBytes, (buffer) => {
      if (buffer.length === sizeBytes && isPageAligned(buffer.subarray(0, wholeBytes))) {
        whole = buffer;
        return;
      }
      memory ??= unitMemory.lend(roundUp(sizeBytes));
      at += buffer.copy(memory.bytes, at);
    });
  } catch (error) {
    memory?.release();
    throw error;
  }
  if (whole === undefined) {
    memory ??= unitMemory.lend(roundUp(sizeBytes));
    memory.bytes.fill(0, sizeBytes, roundUp(sizeBytes));
    return { buffers: [memory.bytes.subarray(0, roundUp(sizeBytes))], release: memory.release };
  }
  if (wholeBytes === sizeBytes) return { buffers: [whole], release: () => undefined };
  const last = unitMemory.lend(BLOCK_BYTES);
  whole.copy(last.bytes, 0, wholeBytes);
  last.bytes.fill(0, sizeBytes - wholeBytes, BLOCK_BYTES);
  return { buffers: [whole.subarray(0, wholeBytes), last.bytes.subarray(0, BLOCK_BYTES)], release: last.release };
}

function pullEach(pull: Pull, sizeBytes: number, take: (buffer: Buffer) => void): Promise<void> | undefined {
  let source: AsyncIterable<Buffer>;
  try {
    source = pull();
  } catch (cause) {
    throw brokenOff(cause, 0, sizeBytes);
  }
  if (!(source instanceof WholeBuffer && source.bytes.length === sizeBytes)) return drain(source, sizeBytes, take);
  take(source.bytes);
  return undefined;
}

async function drain(source: AsyncIterable<Buffer>, sizeBytes: number, take: (buffer: Buffer) => void): Promise<void> {
  let pulledBytes = 0;
  try {
    for await (const buffer of source) {
      pulledBytes += buffer.length;
      if (pulledBytes > sizeBytes) break;
      take(buffer);
    }
  } catch (cause) {
    throw brokenOff(cause, pulledBytes, sizeBytes);
  }
  if (pulledBytes === sizeBytes) return;
  const came = pulledBytes > sizeBytes ? 'more' : `${pulledBytes}`;
  throw new ExtentStoreError('ShortTransfer', `the transfer gave ${came} instead of ${sizeBytes} bytes`);
}

function brokenOff(cause: unknown, pulledBytes: number, sizeBytes: number): ExtentStoreError {
  if (cause instanceof ExtentStoreError) return cause;
  const message = `the transfer broke off after ${pulledBytes} of ${sizeBytes} bytes`;
  return new ExtentStoreError('ShortTransfer', message, { cause });
}
