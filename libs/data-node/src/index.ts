export { DeviceScrubber, type DeviceScrubberOptions } from './device-scrub.worker.js';
export { DataNodeModule } from './data-node.module.js';
export { UnitHttpController } from './http/unit.http-controller.js';
export { LocalUnitStore, type LocalUnitStoreOptions, type OwnedDevice } from './local-unit-store.js';
export {
  closeDevices,
  isRefusedDevice,
  openDevices,
  type DeviceSetting,
  type OpenDevicesOptions,
} from './open-devices.js';
export { runDeviceTool, type ToolOutput } from './device-tool/device-tool.js';
