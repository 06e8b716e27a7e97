export { backgroundCall, type CallContext, type UnitReadCall } from './call-context.js';
export { decodeChunkList, encodeChunkList, type ChunkEntry, type UnitLayout } from './chunk-list.codec.js';
export {
  ClusterMapSchema,
  devicesOfSet,
  type ClusterMap,
  type DeviceEntry,
  type DevicePlace,
  type NodeEntry,
  type StorageSetEntry,
} from './cluster-map.js';
export {
  ERRORS,
  HoldfastError,
  isHoldfastError,
  type ErrorDetails,
  type ErrorEntry,
  type ErrorName,
} from './errors.js';
export {
  IdentityAdministration,
  identityAdministrationService,
  type AccessKey,
  type Group,
  type IdentityAdministrationMethods,
  type InlinePolicy,
  type ManagedPolicy,
  type PolicyVersion,
  type User,
} from './identity-administration.port.js';
export {
  Identity,
  identityService,
  type AccessCheck,
  type Account,
  type AuthorizationAnswer,
  type AuthorizationRequest,
  type Caller,
  type ConditionKeys,
  type Decision,
  type IdentityMethods,
  type ObjectTags,
  type Proof,
  type Reason,
  type SessionRequest,
  type TemporaryKey,
} from './identity.port.js';
export {
  isId,
  newId,
  newRequestId,
  NULL_VERSION,
  type ChunkId,
  type UploadId,
  type VersionId,
  type WriteId,
} from './ids.js';
export { LIMITS } from './limits.js';
export {
  Metadata,
  metadataService,
  type BucketConfigurationKind,
  type BucketRecord,
  type CommitAnswer,
  type CommitObject,
  type DatabaseIdentity,
  type DeleteConditions,
  type DeleteOutcome,
  type ListedObject,
  type ListedVersion,
  type ListObjects,
  type ListVersions,
  type MetadataMethods,
  type ObjectAttributes,
  type ObjectList,
  type ObjectVersion,
  type OutboxKind,
  type VersionList,
  type WriteConditions,
  type WrittenPart,
} from './metadata.port.js';
export { ObjectData, type ReadRange, type WriteTarget } from './object-data.port.js';
export { IntentBus, IntentHandler, IntentSchema, type Intent } from './outbox.js';
export type { RedundancyProfile } from './redundancy.js';
export { s, type Infer, type Schema } from './schema.js';
export { flowOfRequest, SEED_FLOWS, type Component, type FlowName, type FlowStep } from './seed-flows.js';
export {
  defineService,
  methodsOf,
  read,
  write,
  type MethodContract,
  type PortOf,
  type ServiceContract,
} from './service.js';
export { TraceLog, type TraceEvent } from './trace-log.js';
export {
  UnitStore,
  type DeviceLocation,
  type DeviceStatus,
  type LentUnit,
  type ListedUnit,
  type UnitHeader,
  type UnitPosition,
  type UnitReceipt,
} from './unit-store.port.js';
export { FreeUnitsSchema, ListedUnitsSchema, ListUnitsSchema, UNIT_HEADER_FIELD } from './unit-wire.js';
export type {
  ChecksumType,
  ListedUpload,
  PartInfo,
  UploadChecksum,
  UploadPage,
  ListUploads,
  VersionPart,
} from './upload-records.js';
