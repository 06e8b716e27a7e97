import { Module, type DynamicModule } from '@nestjs/common';
import { UnitStore } from '@holdfast/contracts';
import { UnitHttpController } from './http/unit.http-controller.js';
import { DeviceScrubber, type DeviceScrubberOptions } from './device-scrub.worker.js';
import { LocalUnitStore, type LocalUnitStoreOptions } from './local-unit-store.js';

/** The devices of this process as the `UnitStore`, and the routes that offer them to other processes. */
@Module({})
export class DataNodeModule {
  static forRoot(options: LocalUnitStoreOptions & { readonly scrub?: DeviceScrubberOptions }): DynamicModule {
    const units = new LocalUnitStore(options);
    const scrubber = new DeviceScrubber(options.devices, options.scrub);
    return {
      module: DataNodeModule,
      providers: [
        { provide: LocalUnitStore, useValue: units },
        { provide: UnitStore, useExisting: LocalUnitStore },
        { provide: UnitHttpController, useFactory: () => new UnitHttpController(units, scrubber) },
        { provide: DeviceScrubber, useValue: scrubber },
      ],
      exports: [UnitStore, LocalUnitStore, UnitHttpController, DeviceScrubber],
    };
  }
}
