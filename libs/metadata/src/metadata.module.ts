import { Metadata } from '@holdfast/contracts';
import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { MetadataOptions } from './metadata-options.js';
import { MetadataService } from './metadata.service.js';

export type MetadataModuleOptions = MetadataOptions;

/** Provides `Metadata`, and `MetadataService` to the composition root that runs the relay. Closes it at shutdown. */
@Module({})
export class MetadataModule implements OnApplicationShutdown {
  constructor(@Inject(MetadataService) private readonly service: MetadataService) {}

  static forRoot(options: MetadataModuleOptions): DynamicModule {
    return {
      module: MetadataModule,
      global: true,
      providers: [
        { provide: MetadataService, useFactory: () => MetadataService.open(options) },
        { provide: Metadata, useExisting: MetadataService },
      ],
      exports: [Metadata, MetadataService],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.service.close();
  }
}
