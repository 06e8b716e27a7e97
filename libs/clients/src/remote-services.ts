import {
  identityAdministrationService,
  identityService,
  metadataService,
  type IdentityAdministrationMethods,
  type IdentityMethods,
  type MetadataMethods,
} from '@holdfast/contracts';
import type { RpcClient } from '@holdfast/service-host';
import { remotePort } from './remote-port.js';

/** `Identity` over the control plane. */
export function remoteIdentity(client: RpcClient): IdentityMethods {
  return remotePort(identityService, client);
}

/** `IdentityAdministration` over the control plane. */
export function remoteIdentityAdministration(client: RpcClient): IdentityAdministrationMethods {
  return remotePort(identityAdministrationService, client);
}

/** `Metadata` over the control plane. */
export function remoteMetadata(client: RpcClient): MetadataMethods {
  return remotePort(metadataService, client);
}
