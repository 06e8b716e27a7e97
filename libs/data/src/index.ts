export { DATA_SERVICE, DataModule, type DataModuleOptions } from './data.module.js';
export {
  createDataService,
  type DataService,
  type DataServiceMetadata,
  type DataServiceOptions,
} from './data-service.js';
export { ObjectDataHttpController } from './http/object-data.http-controller.js';
export { OrphanCollector, type CollectionResult, type CollectorState } from './orphan-collector.worker.js';
