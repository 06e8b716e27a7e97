import { Module, type DynamicModule } from '@nestjs/common';
import { ObjectStoreModule, type ObjectStoreOptions } from '@holdfast/object-store';

@Module({})
export class AppModule {
  static forRoot(options: ObjectStoreOptions): DynamicModule {
    return { module: AppModule, imports: [ObjectStoreModule.forRoot(options)] };
  }
}
