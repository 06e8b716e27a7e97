export type { ClusterMapSeed, MetadataOptions, MetadataSettings } from './metadata-options.js';
export { MetadataModule, type MetadataModuleOptions } from './metadata.module.js';
export { MetadataService } from './metadata.service.js';
export { OutboxRelay, type OutboxRelaySettings, type OutboxRelayStatus } from './outbox-relay.worker.js';
export type { ClaimedIntent, OutboxSource } from './outbox-source.js';
