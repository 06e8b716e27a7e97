export type { DeviceFile, DevicePort } from './device.port.js';
export {
  ExtentStore,
  type ByteRange,
  type DeviceIdentity,
  type DeviceStatus,
  type FormatOptions,
  type FreeAuthority,
  type ListOptions,
  type OpenOptions,
  type StoredUnit,
} from './extent-store.js';
export { ExtentStoreError, type ExtentStoreErrorCode } from './extent-store-error.js';
export type { UnitHeader, UnitKey } from './unit-header.js';
