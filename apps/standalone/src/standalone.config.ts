import { z } from 'zod';
import { readConfig, setting } from '@holdfast/service-host';

export function standaloneConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      LOG_LEVEL: setting.logLevel.default('warn'),
      REGION: z.string().min(1).default('us-east-1'),
      SIGNATURE_V2: z.enum(['presigned', 'all', 'off']).default('presigned'),
      /** Base domains below which a Host names a bucket. */
      DOMAIN: setting.domains,
      /** Reverse proxies in front whose X-Forwarded-For is believed. */
      TRUSTED_PROXIES: setting.trustedProxies,
      CONNECTIONS_MAX: setting.connections(16_384),
      CONNECTIONS_PER_ADDRESS_MAX: setting.connections(4096),
      /** Read by local-services; named here so that they are known. */
      ROOT_USER: z.string().optional(),
      ROOT_PASSWORD: z.string().optional(),
      BOOTSTRAP_FILE: z.string().optional(),
      /** Size of each new device file; without it a share of the free space. */
      DEVICE_BYTES: setting.deviceBytes.optional(),
      COLLECT_GRACE_MS: setting.milliseconds(setting.collectGraceMs),
      COLLECT_INTERVAL_MS: setting.milliseconds(600_000),
      SCRUB_BYTES_PER_SECOND: z.coerce.number().int().min(0).optional(),
      FREE_DELAY_MS: setting.milliseconds(10 * 60 * 1000),
      PRINCIPAL_CACHE_MS: z.coerce.number().int().min(0).max(1000).default(1000),
      TOKEN_SECONDS: z.coerce.number().int().min(1).default(3600),
    },
    env,
  );
}
