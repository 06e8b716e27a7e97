export { identityContract, signedProof, type IdentityUnderTest } from './identity.contract.js';
