export { HTTP_LIMITS, type EdgeAuthenticator, type GatewayOptions, type HttpLimits } from './gateway-options.js';
export { S3Listener, type GatewayPorts } from './http/s3-listener.js';
export { RequestMetrics } from './pipeline/request-metrics.js';
