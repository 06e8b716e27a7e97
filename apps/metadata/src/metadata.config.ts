import { z } from 'zod';
import { readConfig, setting } from '@holdfast/service-host';

export function metadataConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      NAME: setting.name('metadata'),
      LOG_LEVEL: setting.logLevel,
      STOP_WITH_STDIN: setting.stopWithStdin,
      CLUSTER_SECRET: setting.secret,
      HOST: setting.host,
      HTTP_PORT: setting.port(7301),
      RPC_PORT: setting.port(7300),
      DATABASE_URL: z.string().startsWith('postgres'),
      KAFKA_BROKERS: setting.addresses,
      /** JSON file `{clusterId, sets}`: makes the first cluster map, later adds what is new. */
      TOPOLOGY_FILE: z.string().min(1),
      COLLECT_GRACE_MS: setting.milliseconds(setting.collectGraceMs),
      FREE_DELAY_MS: setting.milliseconds(10 * 60 * 1000),
    },
    env,
  );
}
