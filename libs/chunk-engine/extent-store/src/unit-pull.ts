import { ExtentStoreError } from './extent-store-error.js';

/**
 * All bytes of a transfer, as the buffers that came; they must not change until the unit is durable.
 * @throws ExtentStoreError ShortTransfer unless exactly `sizeBytes` come
 */
export async function pullExactly(pull: () => AsyncIterable<Buffer>, sizeBytes: number): Promise<Buffer[]> {
  const buffers: Buffer[] = [];
  let pulledBytes = 0;
  try {
    for await (const buffer of pull()) {
      pulledBytes += buffer.length;
      if (pulledBytes > sizeBytes) break;
      buffers.push(buffer);
    }
  } catch (cause) {
    if (cause instanceof ExtentStoreError) throw cause;
    throw new ExtentStoreError('ShortTransfer', `the transfer broke off after ${pulledBytes} of ${sizeBytes} bytes`, {
      cause,
    });
  }
  if (pulledBytes !== sizeBytes) {
    const came = pulledBytes > sizeBytes ? 'more' : `${pulledBytes}`;
    throw new ExtentStoreError('ShortTransfer', `the transfer gave ${came} instead of ${sizeBytes} bytes`);
  }
  return buffers;
}
