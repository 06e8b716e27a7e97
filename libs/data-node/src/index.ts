export { DataNodeModule } from './data-node.module.js';
export { UnitHttpController } from './http/unit.http-controller.js';
export { LocalUnitStore, type LocalUnitStoreOptions, type OwnedDevice } from './local-unit-store.js';
export { closeDevices, openDevices, type DeviceSetting, type OpenDevicesOptions } from './open-devices.js';
