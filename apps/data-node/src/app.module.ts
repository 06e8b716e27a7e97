import { Module, type DynamicModule } from '@nestjs/common';
import { DataNodeModule, type LocalUnitStoreOptions } from '@holdfast/data-node';

@Module({})
export class AppModule {
  static forRoot(options: LocalUnitStoreOptions): DynamicModule {
    return { module: AppModule, imports: [DataNodeModule.forRoot(options)] };
  }
}
