import {
  Inject,
  Module,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { IntentHandler, ObjectData } from '@holdfast/contracts';
import { createDataService, type DataService, type DataServiceOptions } from './data-service.js';
import { ObjectDataHttpController } from './http/object-data.http-controller.js';
import { OrphanCollector } from './orphan-collector.worker.js';

/** Token of the data service as a whole. */
export const DATA_SERVICE = Symbol('data service');

/** The data service: `ObjectData`, the handler of its intents, and its workers, which run while the application does. */
@Module({})
export class DataModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(@Inject(DATA_SERVICE) private readonly service: DataService) {}

  static forRoot(options: DataServiceOptions): DynamicModule {
    const service = createDataService(options);
    return {
      module: DataModule,
      providers: [
        { provide: DATA_SERVICE, useValue: service },
        { provide: ObjectData, useValue: service.objects },
        { provide: IntentHandler, useValue: service.intents },
        { provide: OrphanCollector, useValue: service.collector },
        { provide: ObjectDataHttpController, useFactory: () => new ObjectDataHttpController(service.objects) },
      ],
      exports: [DATA_SERVICE, ObjectData, IntentHandler, OrphanCollector, ObjectDataHttpController],
    };
  }

  onApplicationBootstrap(): void {
    this.service.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.service.stop();
  }
}
