export { readBootstrapFile, type Bootstrap } from './bootstrap/bootstrap-file.js';
export type { IdentitySettings, RootCredentials } from './identity-settings.js';
export { IdentityModule } from './identity.module.js';
export type { IdentityOptions, IdentityService } from './identity.service.js';
