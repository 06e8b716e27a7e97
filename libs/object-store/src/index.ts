export { ObjectStoreModule, type ObjectStoreOptions } from './object-store.module.js';
