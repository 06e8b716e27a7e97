import { identityService, metadataService, type IdentityMethods, type MetadataMethods } from '@holdfast/contracts';
import type { RpcClient } from '@holdfast/service-host';
import { remotePort } from './remote-port.js';

/** `Identity` over the control plane. */
export function remoteIdentity(client: RpcClient): IdentityMethods {
  return remotePort(identityService, client);
}

/** `Metadata` over the control plane. */
export function remoteMetadata(client: RpcClient): MetadataMethods {
  return remotePort(metadataService, client);
}
