/** From a path to a device that this process owns, with its superblock; nothing is written. */
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { DeviceFile, DevicePort } from './device.port.js';
import { ExtentStoreError } from './extent-store-error.js';
import { readSuperblock, type Superblock } from './superblock.js';

export interface OpenedDevice {
  readonly device: DeviceFile;
  readonly superblock: Superblock;
  /** Closes the file and gives the device back. */
  readonly release: () => Promise<void>;
}

/** @throws ExtentStoreError BadDevice or DeviceBusy */
export async function openDevice(io: DevicePort, path: string): Promise<OpenedDevice> {
  const device = await io.open(path).catch((cause: Error) => {
    const advice = 'Check the path and its permissions; a new device is formatted before it is opened.';
    throw new ExtentStoreError('BadDevice', `${path} cannot be opened: ${cause.message}. ${advice}`, { cause });
  });
  let giveBack: (() => Promise<void>) | undefined;
  const release = async (): Promise<void> => {
    await device.close();
    await giveBack?.();
  };
  try {
    const { deviceId } = await readSuperblock(device, path);
    giveBack = await io.claim(deviceId, path);
    // Again: only now has the owner before us written its last superblock.
    const superblock = await readSuperblock(device, path);
    await checkWhole(device, path, superblock.capacityBytes);
    return { device, superblock, release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function checkWhole(device: DeviceFile, path: string, capacityBytes: number): Promise<void> {
  const last = await device.read(Buffer.alloc(BLOCK_BYTES), capacityBytes - BLOCK_BYTES).catch(() => 0);
  if (last === BLOCK_BYTES) return;
  const advice = 'Bring back the whole file, or replace the device and let its units be rebuilt.';
  throw new ExtentStoreError('BadDevice', `${path} is cut off: it had ${capacityBytes} bytes. ${advice}`);
}
