export type { IdentitySettings, RootCredentials } from './identity-settings.js';
export { IdentityModule } from './identity.module.js';
export { IdentityService, type IdentityOptions } from './identity.service.js';
