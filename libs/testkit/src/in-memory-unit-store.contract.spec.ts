import { InMemoryUnitStore } from './in-memory-unit-store.js';
import { unitStoreContract } from './unit-store.contract.js';

unitStoreContract('in memory', async () => ({
  units: new InMemoryUnitStore(['d1'], 'c1'),
  device: { deviceId: 'd1', nodeId: 'n1', address: '' },
  clusterId: 'c1',
  close: async () => undefined,
}));
