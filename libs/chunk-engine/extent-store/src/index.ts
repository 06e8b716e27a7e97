export type { DeviceFile, DevicePort } from './device/device.port.js';
export { DeviceInspection, type InspectOptions } from './device-inspection.js';
export type { Catalogue } from './engine/catalogue.js';
export type { FormatOptions } from './engine/device-format.js';
export type { FsckReport } from './engine/fsck.js';
export type { ReadableEntry } from './engine/tree-listing.js';
export {
  ExtentStore,
  type ByteRange,
  type DeviceIdentity,
  type DeviceStatus,
  type FreeAuthority,
  type ListOptions,
  type OpenOptions,
  type StoredUnit,
} from './extent-store.js';
export { ExtentStoreError, type ExtentStoreErrorCode } from './extent-store-error.js';
export type { DeviceLayout } from './format/device-layout.js';
export type { Superblock } from './format/superblock.js';
export type { UnitHeader, UnitKey } from './unit-header.js';
