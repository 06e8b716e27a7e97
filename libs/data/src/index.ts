export { DataModule, type DataModuleOptions } from './data.module.js';
export {
  createDataService,
  type DataService,
  type DataServiceMetadata,
  type DataServiceOptions,
} from './data-service.js';
export { ObjectDataHttpController } from './http/object-data.http-controller.js';
export type { CollectionResult, CollectorState, OrphanCollector } from './orphan-collector.worker.js';
