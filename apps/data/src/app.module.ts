import { Module, type DynamicModule } from '@nestjs/common';
import { DataModule, type DataServiceOptions } from '@holdfast/data';

@Module({})
export class AppModule {
  static forRoot(options: DataServiceOptions): DynamicModule {
    return { module: AppModule, imports: [DataModule.forRoot({ inject: [], useFactory: () => options })] };
  }
}
