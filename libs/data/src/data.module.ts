import {
  Inject,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { IntentHandler, ObjectData } from '@holdfast/contracts';
import { createDataService, type DataService, type DataServiceOptions } from './data-service.js';
import { ObjectDataHttpController } from './http/object-data.http-controller.js';
import { OrphanCollector } from './orphan-collector.worker.js';

/** Token of the data service as a whole. */
export const DATA_SERVICE = Symbol('data service');

/** The ports come from other modules of the application: `useFactory` gets what `inject` names. */
export interface DataModuleOptions {
  readonly imports?: ModuleMetadata['imports'];
  readonly inject: FactoryProvider['inject'];
  readonly useFactory: (...ports: never[]) => DataServiceOptions;
}

/** The data service: `ObjectData`, the handler of its intents, and its workers, which run while the application does. */
@Module({})
export class DataModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(@Inject(DATA_SERVICE) private readonly service: DataService) {}

  static forRoot(options: DataModuleOptions): DynamicModule {
    const part = <K extends keyof DataService>(token: FactoryProvider['provide'], name: K): FactoryProvider => ({
      provide: token,
      useFactory: (service: DataService) => service[name],
      inject: [DATA_SERVICE],
    });
    return {
      module: DataModule,
      imports: options.imports ?? [],
      providers: [
        {
          provide: DATA_SERVICE,
          useFactory: (...ports: never[]) => createDataService(options.useFactory(...ports)),
          inject: options.inject ?? [],
        },
        part(ObjectData, 'objects'),
        part(IntentHandler, 'intents'),
        part(OrphanCollector, 'collector'),
        {
          provide: ObjectDataHttpController,
          useFactory: (objects: ObjectData) => new ObjectDataHttpController(objects),
          inject: [ObjectData],
        },
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
