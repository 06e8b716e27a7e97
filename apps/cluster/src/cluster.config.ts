import { z } from 'zod';
import { readConfig, setting } from '@holdfast/service-host';

/**
 * What may be set for the starter. Settings of services are checked here as the services do, so that a wrong one is told before
 * anything is started, and are handed on as they were given (`PASSED_ON` in members.ts).
 */
export function clusterConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      LOG_LEVEL: setting.logLevel,
      REGION: z.string().min(1).optional(),
      SIGNATURE_V2: z.enum(['presigned', 'all', 'off']).optional(),
      /** Read by local-services; named here so that they are known. */
      ROOT_USER: z.string().optional(),
      ROOT_PASSWORD: z.string().optional(),
      BOOTSTRAP_FILE: z.string().optional(),
      /** Base domains below which a Host names a bucket. */
      DOMAIN: setting.domains,
      TRUSTED_PROXIES: setting.trustedProxies,
      CONNECTIONS_MAX: setting.connections(16_384),
      CONNECTIONS_PER_ADDRESS_MAX: setting.connections(4096),
      DEVICE_BYTES: setting.deviceBytes.optional(),
      COLLECT_GRACE_MS: z.coerce.number().int().min(0).optional(),
      COLLECT_INTERVAL_MS: z.coerce.number().int().min(0).optional(),
      SCRUB_BYTES_PER_SECOND: z.coerce.number().int().min(0).optional(),
      FREE_DELAY_MS: z.coerce.number().int().min(0).optional(),
      PRINCIPAL_CACHE_MS: z.coerce.number().int().min(0).max(1000).optional(),
      TOKEN_SECONDS: z.coerce.number().int().min(1).optional(),
    },
    env,
  );
}

export type ClusterConfig = ReturnType<typeof clusterConfig>;
