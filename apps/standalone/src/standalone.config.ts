import { z } from 'zod';
import { readConfig, setting } from '@holdfast/service-host';

export function standaloneConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      LOG_LEVEL: setting.logLevel.default('warn'),
      REGION: z.string().min(1).default('us-east-1'),
      SIGNATURE_V2: z.enum(['presigned', 'off']).default('presigned'),
      /** Read by the first start (local-services); named here so that they are known. */
      ROOT_USER: z.string().optional(),
      ROOT_PASSWORD: z.string().optional(),
      /** Size of each new device file; without it a share of the free space. */
      DEVICE_BYTES: setting.deviceBytes.optional(),
      COLLECT_GRACE_MS: setting.milliseconds(setting.collectGraceMs),
      COLLECT_INTERVAL_MS: setting.milliseconds(600_000),
      FREE_DELAY_MS: setting.milliseconds(10 * 60 * 1000),
      PRINCIPAL_CACHE_MS: z.coerce.number().int().min(0).max(1000).default(1000),
      TOKEN_SECONDS: z.coerce.number().int().min(1).default(3600),
    },
    env,
  );
}
