export type { BackendPool } from './backend-pool.js';
export { problemRefusal } from './refusal.js';
export { ReverseProxy, type ReverseProxyOptions } from './reverse-proxy.js';
