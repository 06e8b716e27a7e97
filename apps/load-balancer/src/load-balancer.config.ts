import { readConfig, setting } from '@holdfast/service-host';

export function loadBalancerConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      NAME: setting.name('load-balancer'),
      LOG_LEVEL: setting.logLevel,
      STOP_WITH_STDIN: setting.stopWithStdin,
      CLUSTER_SECRET: setting.secret,
      /** Where clients come in. */
      HOST: setting.host,
      S3_PORT: setting.port(9000),
      ADMIN_PORT: setting.port(9001),
      /** Health and trace; loopback unless said otherwise. */
      HTTP_HOST: setting.host,
      HTTP_PORT: setting.port(7100),
      /** S3 and admin listeners of the API services: host:port, comma separated. */
      APIS: setting.addresses,
      ADMIN_APIS: setting.addresses,
      CHECK_INTERVAL_MS: setting.milliseconds(500),
      CONNECT_TIMEOUT_MS: setting.milliseconds(1000),
      /** Base domains below which a Host names a bucket. */
      DOMAIN: setting.domains,
      /** Reverse proxies in front of this one whose X-Forwarded-For is believed. */
      TRUSTED_PROXIES: setting.trustedProxies,
      CONNECTIONS_MAX: setting.connections(16_384),
      CONNECTIONS_PER_ADDRESS_MAX: setting.connections(4096),
      DRAIN_MS: setting.milliseconds(10_000),
    },
    env,
  );
}
