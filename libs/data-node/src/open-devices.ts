import { existsSync } from 'node:fs';
import { ExtentStore } from '@holdfast/extent-store';
import type { OwnedDevice } from './local-unit-store.js';

/** A device file (or block device) of this process. */
export interface DeviceSetting {
  /** UUID, lower case. */
  readonly deviceId: string;
  readonly path: string;
  /** By the cluster map; raised when the device was replaced. */
  readonly generation: number;
  /** Size of a file that is not there yet, a multiple of 4 KiB. Without it a missing file is an error. */
  readonly createBytes?: number;
}

export interface OpenDevicesOptions {
  readonly devices: readonly DeviceSetting[];
  /** UUID, lower case. */
  readonly clusterId: string;
  /** Of the database that a new device is made for. */
  readonly databaseGeneration: number;
}

/**
 * Opens the devices, first making those that are not there. A device of another cluster, or another device than the map
 * names, is refused: it may hold the only copy of someone's bytes. Errors: Error with the path and what to do.
 */
export async function openDevices(options: OpenDevicesOptions): Promise<OwnedDevice[]> {
  const opened: OwnedDevice[] = [];
  try {
    for (const device of options.devices) {
      const store = await openDevice(device, options);
      opened.push({ deviceId: device.deviceId, generation: device.generation, store });
    }
  } catch (error) {
    await closeDevices(opened);
    throw error;
  }
  return opened;
}

export async function closeDevices(devices: readonly OwnedDevice[]): Promise<void> {
  for (const device of devices) await device.store.close();
}

async function openDevice(device: DeviceSetting, options: OpenDevicesOptions): Promise<ExtentStore> {
  const { path, deviceId, createBytes } = device;
  const { clusterId, databaseGeneration: generation } = options;
  if (!existsSync(path)) {
    if (createBytes === undefined) throw new Error(`${path} is not there: give the path of device ${deviceId}`);
    await ExtentStore.format(path, { deviceId, clusterId, generation, capacityBytes: createBytes });
  }
  const store = await ExtentStore.open(path);
  const found = store.superblock;
  if (found.deviceId === deviceId && found.clusterId === clusterId) return store;
  await store.close();
  throw new Error(
    `${path} holds device ${found.deviceId} of cluster ${found.clusterId}, not device ${deviceId} of cluster ${clusterId}: ` +
      'give the right path, or move the file away',
  );
}
