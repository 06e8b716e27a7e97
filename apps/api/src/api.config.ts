import { z } from 'zod';
import { readConfig, setting } from '@holdfast/service-host';

export function apiConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      NAME: setting.name('api'),
      LOG_LEVEL: setting.logLevel,
      STOP_WITH_STDIN: setting.stopWithStdin,
      CLUSTER_SECRET: setting.secret,
      HOST: setting.host,
      HTTP_PORT: setting.port(7600),
      S3_PORT: setting.port(7601),
      ADMIN_PORT: setting.port(7602),
      REGION: z.string().min(1).default('us-east-1'),
      /** Presigned URLs of Signature Version 2: what aws CLI v1 and boto3 make by default (decision 0009). */
      SIGNATURE_V2: z.enum(['presigned', 'all', 'off']).default('presigned'),
      /** Base domains below which a Host names a bucket. */
      DOMAIN: setting.domains,
      /** Reverse proxies in front, beside the load balancer, whose X-Forwarded-For is believed. */
      TRUSTED_PROXIES: setting.trustedProxies,
      CONNECTIONS_MAX: setting.connections(16_384),
      CONNECTIONS_PER_ADDRESS_MAX: setting.connections(4096),
      IAM_ADDRESS: setting.address,
      METADATA_ADDRESS: setting.address,
      DATA_ADDRESS: setting.address,
      DRAIN_MS: setting.milliseconds(10_000),
    },
    env,
  );
}
