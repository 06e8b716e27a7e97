import { existsSync } from 'node:fs';
import { eventTurns } from '@holdfast/stdx';
import { ExtentStore, ExtentStoreError } from '@holdfast/extent-store';
import { blankCapacityBytes } from './blank-capacity.js';
import type { OwnedDevice } from './local-unit-store.js';

/** Memory of each device for small units that were read lately. */
const RECENT_UNIT_BYTES = 8 * 1024 * 1024;
/** Units of one moment reach a device in two turns, and a group costs more than the units in it: it gathers for both. */
const gatherGroup = (): Promise<void> => eventTurns(2);

/** A device file (or block device) of this process. */
export interface DeviceSetting {
  /** UUID, lower case. */
  readonly deviceId: string;
  readonly path: string;
  /** By the cluster map: which replacement in its slot it is. */
  readonly generation: number;
  /**
   * Present while the device may still have to be made: the size, a multiple of 4 KiB, of a file that is not there or empty. A
   * file or block device of zeros keeps its own size. Without it a missing file is an error, and so is one without a device.
   */
  readonly createBytes?: number;
}

export interface OpenDevicesOptions {
  readonly devices: readonly DeviceSetting[];
  /** UUID, lower case. */
  readonly clusterId: string;
}

/**
 * Opens the devices, first making those that are not there or hold nothing but zeros. A device of another cluster, another device than the map names,
 * or an older one that was replaced is refused: it may hold the only copy of someone's bytes, or stale ones. Errors: ExtentStoreError
 * (BadDevice, DeviceBusy, MetadataDamaged) with the path and what to do.
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

/** Whether a device was refused: its message says which and what to do, and a stack adds nothing. */
export function isRefusedDevice(error: unknown): error is ExtentStoreError {
  return error instanceof ExtentStoreError;
}

function refused(message: string, cause?: unknown): ExtentStoreError {
  return new ExtentStoreError('BadDevice', message, { cause });
}

async function openDevice(device: DeviceSetting, { clusterId }: OpenDevicesOptions): Promise<ExtentStore> {
  const { path, deviceId, generation, createBytes } = device;
  if (createBytes === undefined) {
    if (!existsSync(path)) throw refused(`${path} is not there: give the path of device ${deviceId}`);
  } else {
    const capacityBytes = await blankCapacityBytes(path, createBytes).catch((cause: Error) => {
      throw refused(`${path} cannot be opened: ${cause.message}. Check the path and its permissions`, cause);
    });
    if (capacityBytes !== undefined) {
      await ExtentStore.format(path, { deviceId, clusterId, generation, capacityBytes }).catch((cause: Error) => {
        throw refused(`${path} cannot become a device: ${cause.message}`, cause);
      });
    }
  }
  const store = await ExtentStore.open(path, { recentUnitBytes: RECENT_UNIT_BYTES, turn: gatherGroup });
  const found = store.superblock;
  if (found.deviceId === deviceId && found.clusterId === clusterId && found.generation === generation) return store;
  await store.close();
  const name = (id: string, cluster: string, number: number) =>
    `device ${id} of cluster ${cluster}, generation ${number}`;
  throw refused(
    `${path} holds ${name(found.deviceId, found.clusterId, found.generation)}, not ${name(deviceId, clusterId, generation)}: ` +
      'give the right path, or move the file away',
  );
}
