export { ByteBudget } from './byte-budget.js';
export { ConfigError, readConfig, setting } from './config.js';
export { HealthState } from './health.js';
export {
  answerJson,
  beginBody,
  InternalHttpServer,
  type InternalHandler,
  type InternalHttpServerOptions,
} from './http/internal-http-server.js';
export { TrustedProxies } from './http/client-address.js';
export { StrictHttpServer, type ConnectionLimits, type RawRefusal } from './http/strict-http-server.js';
export { connectionName } from './http/connection-name.js';
export { InternalAuthenticator, type EdgeCall } from './internal-auth.js';
export { configureLog, log, type LogLevel } from './log.js';
export { RpcClient } from './rpc/rpc-client.js';
export { rpcControllerOf, rpcServerOptions } from './rpc/rpc-server.js';
export { onStopSignal, orExplain, runService, type RunningService } from './run-service.js';
export { serveTrace } from './http/trace-route.js';
