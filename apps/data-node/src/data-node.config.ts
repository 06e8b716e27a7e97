import { z } from 'zod';
import { readConfig, setting } from '@holdfast/service-host';

const deviceList = z.array(
  z.strictObject({
    deviceId: z.uuid().toLowerCase(),
    path: z.string().min(1),
    generation: z.number().int().min(1),
    createBytes: z.number().int().min(1).optional(),
  }),
);

/** HOLDFAST_DEVICES is a JSON list of `{deviceId, path, generation, createBytes?}`. */
export function dataNodeConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(
    {
      NAME: setting.name('data-node'),
      LOG_LEVEL: setting.logLevel,
      STOP_WITH_STDIN: setting.stopWithStdin,
      CLUSTER_SECRET: setting.secret,
      HOST: setting.host,
      HTTP_PORT: setting.port(7400),
      CLUSTER_ID: z.uuid(),
      SCRUB_BYTES_PER_SECOND: z.coerce.number().int().min(0).optional(),
      DEVICES: z
        .string()
        .transform((text, context) => {
          try {
            return JSON.parse(text) as unknown;
          } catch {
            context.addIssue({ code: 'custom', message: 'must be JSON' });
            return z.NEVER;
          }
        })
        .pipe(deviceList),
    },
    env,
  );
}
