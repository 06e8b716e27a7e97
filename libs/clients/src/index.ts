export { remotePort } from './remote-port.js';
export { remoteIdentity, remoteMetadata } from './remote-services.js';
