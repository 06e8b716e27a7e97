export { identityAdministrationContract } from './identity-administration.contract.js';
export { identityContract, signedProof, type IdentityUnderTest } from './identity.contract.js';
export { InMemoryPorts, type RecordedCall } from './in-memory-ports.js';
export { clusterMapOf, deviceIdsOf, withFailedDevices, type ClusterShape } from './cluster-maps.js';
export { InMemoryUnitStore, type UnitCall, type UnitFault } from './in-memory-unit-store.js';
export { InMemoryWriteRecords } from './in-memory-write-records.js';
export { bodyOf, collect, objectDataContract, type ObjectDataUnderTest } from './object-data.contract.js';
export { unitStoreContract, type UnitStoreUnderTest } from './unit-store.contract.js';
export { RawConnection, type RawAnswer } from './raw-http.js';
export { oracleAllows, type OraclePolicy, type OracleQuestion } from './policy-oracle.js';
export { samplesOf, type SchemaSamples } from './schema-samples.js';
export {
  presignRequest,
  sendRequest,
  signedChunkFrames,
  signRequest,
  type PlainAnswer,
  type PlainRequest,
  type SigningKeys,
  type SigningOptions,
} from './signed-requests.js';
