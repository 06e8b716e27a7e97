import { InMemoryObjectData } from './in-memory-object-data.js';
import { objectDataContract } from './object-data.contract.js';

objectDataContract('in memory', async () => ({
  objects: new InMemoryObjectData(),
  homeSetId: 1,
  profile: { k: 1, m: 0, secondary: false },
  close: async () => undefined,
}));
