export { LocalServiceError, type LocalServiceErrorCode } from './local-service-error.js';
export type { ServiceExit } from './child-service.js';
export { findFreePort } from './free-port.js';
export {
  startPostgres,
  resolvePostgres,
  type LocalPostgres,
  type ResolvedPostgres,
  type ResolvePostgresOptions,
  type StartPostgresOptions,
} from './postgres.js';
export {
  startKafka,
  resolveKafka,
  type LocalKafka,
  type ResolvedKafka,
  type ResolveKafkaOptions,
  type StartKafkaOptions,
} from './kafka.js';
export { clusterSecret, rootCredentials, type RootCredentials } from './first-start.js';
export { claimFolder, makeFolder, writeDurably } from './service-folder.js';
export { parseStartOptions, type StartDefaults, type StartOptions } from './start-options.js';
export { welcomeText, type Welcome } from './welcome.js';
export { deviceCapacityBytes } from './device-capacity.js';
