export { DataPlaneConnections, type DataPlaneOptions } from './data-plane-connections.js';
export { RemoteObjectData, type RemoteObjectDataOptions } from './object-data.client.js';
export { remoteIdentity, remoteIdentityAdministration, remoteMetadata } from './remote-services.js';
export { RemoteUnitStore } from './unit-store.client.js';
