import { Module, type DynamicModule } from '@nestjs/common';
import { DataNodeModule, type DeviceScrubberOptions, type LocalUnitStoreOptions } from '@holdfast/data-node';

@Module({})
export class AppModule {
  static forRoot(options: LocalUnitStoreOptions & { readonly scrub: DeviceScrubberOptions }): DynamicModule {
    return { module: AppModule, imports: [DataNodeModule.forRoot(options)] };
  }
}
