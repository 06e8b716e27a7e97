import 'reflect-metadata';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { TraceLog } from '@holdfast/contracts';
import { closeDevices, DeviceScrubber, openDevices, UnitHttpController } from '@holdfast/data-node';
import {
  HealthState,
  InternalAuthenticator,
  InternalHttpServer,
  orExplain,
  runService,
  serveTrace,
} from '@holdfast/service-host';
import { AppModule } from './app.module.js';
import { dataNodeConfig } from './data-node.config.js';

const config = orExplain(() => dataNodeConfig());

await runService({ name: config.NAME, logLevel: config.LOG_LEVEL, stopWithStdin: config.STOP_WITH_STDIN }, async () => {
  for (const device of config.DEVICES) await mkdir(dirname(device.path), { recursive: true, mode: 0o700 });
  const devices = await openDevices({
    devices: config.DEVICES,
    clusterId: config.CLUSTER_ID,
  });
  const trace = new TraceLog(config.NAME);
  const app = await NestFactory.createApplicationContext(
    AppModule.forRoot({ devices, trace, scrub: { bytesPerSecond: config.SCRUB_BYTES_PER_SECOND } }),
    { logger: false },
  );
  const health = new HealthState();
  const server = new InternalHttpServer({
    host: config.HOST,
    port: config.HTTP_PORT,
    auth: new InternalAuthenticator(config.CLUSTER_SECRET),
    health,
  });
  app.get(UnitHttpController).mount(server);
  serveTrace(server, trace);
  await server.listen();
  const scrubber = app.get(DeviceScrubber);
  scrubber.start();
  return {
    async stop() {
      health.drain();
      await server.close();
      await scrubber.stop();
      await app.close();
      await closeDevices(devices);
    },
  };
});
