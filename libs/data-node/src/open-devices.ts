import { existsSync } from 'node:fs';
import { ExtentStore } from '@holdfast/extent-store';
import type { OwnedDevice } from './local-unit-store.js';

/** A device file (or block device) of this process. */
export interface DeviceSetting {
  /** UUID, lower case. */
  readonly deviceId: string;
  readonly path: string;
  /** By the cluster map: which replacement in its slot it is. */
  readonly generation: number;
  /** Size of a file that is not there yet, a multiple of 4 KiB. Without it a missing file is an error. */
  readonly createBytes?: number;
}

export interface OpenDevicesOptions {
  readonly devices: readonly DeviceSetting[];
  /** UUID, lower case. */
  readonly clusterId: string;
}

/**
 * Opens the devices, first making those that are not there. A device of another cluster, another device than the map names,
 * or an older one that was replaced is refused: it may hold the only copy of someone's bytes, or stale ones. Errors: Error with the path and what to do.
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

async function openDevice(device: DeviceSetting, { clusterId }: OpenDevicesOptions): Promise<ExtentStore> {
  const { path, deviceId, generation, createBytes } = device;
  if (!existsSync(path)) {
    if (createBytes === undefined) throw new Error(`${path} is not there: give the path of device ${deviceId}`);
    await ExtentStore.format(path, { deviceId, clusterId, generation, capacityBytes: createBytes });
  }
  const store = await ExtentStore.open(path);
  const found = store.superblock;
  if (found.deviceId === deviceId && found.clusterId === clusterId && found.generation === generation) return store;
  await store.close();
  const name = (id: string, cluster: string, number: number) =>
    `device ${id} of cluster ${cluster}, generation ${number}`;
  throw new Error(
    `${path} holds ${name(found.deviceId, found.clusterId, found.generation)}, not ${name(deviceId, clusterId, generation)}: ` +
      'give the right path, or move the file away',
  );
}
