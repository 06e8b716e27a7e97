import { Module, type DynamicModule } from '@nestjs/common';
import { UnitStore } from '@holdfast/contracts';
import { UnitHttpController } from './http/unit.http-controller.js';
import { LocalUnitStore, type LocalUnitStoreOptions } from './local-unit-store.js';

/** The devices of this process as the `UnitStore`, and the routes that offer them to other processes. */
@Module({})
export class DataNodeModule {
  static forRoot(options: LocalUnitStoreOptions): DynamicModule {
    const units = new LocalUnitStore(options);
    return {
      module: DataNodeModule,
      providers: [
        { provide: LocalUnitStore, useValue: units },
        { provide: UnitStore, useExisting: LocalUnitStore },
        { provide: UnitHttpController, useFactory: () => new UnitHttpController(units) },
      ],
      exports: [UnitStore, LocalUnitStore, UnitHttpController],
    };
  }
}
