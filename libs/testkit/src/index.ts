export { identityContract, signedProof, type IdentityUnderTest } from './identity.contract.js';
export { InMemoryIdentity } from './in-memory-identity.js';
export { InMemoryMetadata } from './in-memory-metadata.js';
export { InMemoryObjectData } from './in-memory-object-data.js';
