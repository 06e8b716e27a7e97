export { DeviceFile, DevicePort } from './device.port.js';
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
export { FileDevicePort } from './file-device.js';
export { UNIT_SIZE_MAX_BYTES, type UnitHeader, type UnitKey } from './unit-header.js';
