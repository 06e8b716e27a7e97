import { Module, type DynamicModule } from '@nestjs/common';
import { Metadata, metadataService } from '@holdfast/contracts';
import { MetadataModule, type MetadataOptions } from '@holdfast/metadata';
import { rpcControllerOf } from '@holdfast/service-host';

@Module({})
export class AppModule {
  static forRoot(options: MetadataOptions): DynamicModule {
    return {
      module: AppModule,
      imports: [MetadataModule.forRoot(options)],
      controllers: [rpcControllerOf(metadataService, Metadata)],
    };
  }
}
