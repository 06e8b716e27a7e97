import { readConfig, setting } from '@holdfast/service-host';

export function dataConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      NAME: setting.name('data'),
      LOG_LEVEL: setting.logLevel,
      STOP_WITH_STDIN: setting.stopWithStdin,
      CLUSTER_SECRET: setting.secret,
      HOST: setting.host,
      HTTP_PORT: setting.port(7500),
      METADATA_ADDRESS: setting.address,
      KAFKA_BROKERS: setting.addresses,
      COLLECT_GRACE_MS: setting.milliseconds(setting.collectGraceMs),
      COLLECT_INTERVAL_MS: setting.milliseconds(600_000),
    },
    env,
  );
}
