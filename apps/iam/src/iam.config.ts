import { z } from 'zod';
import { readConfig, setting } from '@holdfast/service-host';

export function iamConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      NAME: setting.name('iam'),
      LOG_LEVEL: setting.logLevel,
      STOP_WITH_STDIN: setting.stopWithStdin,
      CLUSTER_SECRET: setting.secret,
      HOST: setting.host,
      HTTP_PORT: setting.port(7201),
      RPC_PORT: setting.port(7200),
      DATABASE_URL: z.string().startsWith('postgres'),
      /** A service started alone has no default for these and refuses to start without them. */
      ROOT_USER: z.string({ error: 'is needed: the access key id of the root account' }),
      ROOT_PASSWORD: z.string({ error: 'is needed: the secret key of the root account' }),
      /** Accounts and users to be there from the start. */
      BOOTSTRAP_FILE: z.string().optional(),
      PRINCIPAL_CACHE_MS: z.coerce.number().int().min(0).max(1000).default(1000),
      TOKEN_SECONDS: z.coerce.number().int().min(1).default(3600),
    },
    env,
  );
}
