/** From paths to devices that this process owns, with their superblocks; nothing is written. */
import type { DeviceFile, DevicePort } from '../device/device.port.js';
import { ExtentStoreError } from '../extent-store-error.js';
import { BLOCK_BYTES } from '@holdfast/stdx';
import { metadataBytes } from '../format/device-layout.js';
import { readSuperblock, type FileRole, type Superblock } from '../format/superblock.js';
import type { DeviceFiles } from './device-state.js';

export interface OpenedDevice {
  readonly files: DeviceFiles;
  /** That of the file with log and pages. */
  readonly superblock: Superblock;
  /** Closes the files and gives the device back. */
  readonly release: () => Promise<void>;
}

export interface DevicePaths {
  /** The file, or of a pair the one with the data blocks. */
  readonly path: string;
  /** Of a pair the file with log and pages. */
  readonly metadataPath?: string;
  /** For looking only. */
  readonly readOnly?: boolean;
}

/** @throws ExtentStoreError BadDevice or DeviceBusy, naming the file and what to do */
export async function openDevice(io: DevicePort, paths: DevicePaths): Promise<OpenedDevice> {
  const releases: (() => Promise<void>)[] = [];
  const release = async (): Promise<void> => {
    for (const work of releases.splice(0).reverse()) await work();
  };
  const openFile = async (path: string): Promise<DeviceFile> => {
    const file = await io.open(path, { readOnly: paths.readOnly }).catch((cause: Error) => {
      const advice = 'Check the path and its permissions; a new device is formatted before it is opened.';
      throw new ExtentStoreError('BadDevice', `${path} cannot be opened: ${cause.message}. ${advice}`, { cause });
    });
    releases.push(() => file.close());
    return file;
  };
  try {
    const data = await openFile(paths.path);
    const meta = paths.metadataPath === undefined ? data : await openFile(paths.metadataPath);
    const metaPath = paths.metadataPath ?? paths.path;
    const { deviceId, role } = (await readSuperblock(meta, metaPath)).superblock;
    checkRole(role, paths.metadataPath === undefined ? 'all' : 'metadata', metaPath);
    releases.push(await io.claim(deviceId, metaPath));
    // Again: only now has the owner before us written its last superblock.
    const { superblock } = await readSuperblock(meta, metaPath);
    await checkFile(meta, metaPath, superblock, paths.metadataPath === undefined ? 'all' : 'metadata');
    if (paths.metadataPath !== undefined) await checkPartner(data, paths.path, superblock, metaPath);
    return { files: { meta, data }, superblock, release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function checkPartner(data: DeviceFile, path: string, meta: Superblock, metaPath: string): Promise<void> {
  const { superblock } = await readSuperblock(data, path);
  if (superblock.deviceId !== meta.deviceId || superblock.clusterId !== meta.clusterId) {
    const advice = 'Give the two files that were formatted together.';
    throw new ExtentStoreError('BadDevice', `${path} and ${metaPath} belong to different devices. ${advice}`);
  }
  await checkFile(data, path, superblock, 'data');
}

async function checkFile(file: DeviceFile, path: string, superblock: Superblock, role: FileRole): Promise<void> {
  checkRole(superblock.role, role, path);
  const sizeBytes = await file.sizeBytes();
  const formattedBytes = role === 'metadata' ? metadataBytes(superblock) : superblock.capacityBytes;
  // A part of a block behind the last one is nobody's: a file of zeros may have had it when it became a device.
  if (Math.floor(sizeBytes / BLOCK_BYTES) === formattedBytes / BLOCK_BYTES) return;
  const change = sizeBytes < formattedBytes ? 'is cut off' : 'has grown';
  const advice =
    sizeBytes < formattedBytes
      ? 'Bring back the whole file, or replace the device and let its units be rebuilt.'
      : 'A device keeps the size it was formatted with: cut the file back, or add a new device for the room.';
  throw new ExtentStoreError(
    'BadDevice',
    `${path} ${change}: it had ${formattedBytes} bytes and has ${sizeBytes}. ${advice}`,
  );
}

function checkRole(found: FileRole, wanted: FileRole, path: string): void {
  if (found === wanted) return;
  const names = { all: 'a whole device', metadata: 'log and pages of a pair', data: 'the data blocks of a pair' };
  const advice = 'Give the file, or both files of the pair, as they were formatted.';
  throw new ExtentStoreError('BadDevice', `${path} holds ${names[found]}, not ${names[wanted]}. ${advice}`);
}
