export { createAdminApp } from './admin/admin.module.js';
export { openApiDocument } from './admin/open-api.js';
export type { AdminPorts } from './admin/admin-ports.js';
export type { EdgeAuthenticator, GatewayOptions, HttpLimits } from './gateway-options.js';
export { GatewayModule, type GatewayModuleOptions } from './gateway.module.js';
export { S3Listener, type GatewayPorts } from './http/s3-listener.js';
export type { RequestMetrics } from './pipeline/request-metrics.js';
