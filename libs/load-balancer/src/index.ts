export type { BackendPool } from './backend-pool.js';
export { ReverseProxy, type ReverseProxyOptions } from './reverse-proxy.js';
