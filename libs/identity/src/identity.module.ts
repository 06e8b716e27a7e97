import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Identity, IdentityAdministration } from '@holdfast/contracts';
import { IdentityService, type IdentityOptions } from './identity.service.js';

/** Offers the local `Identity` under the port's token; opened with the module, closed when the application has shut down. */
@Module({})
export class IdentityModule implements OnApplicationShutdown {
  constructor(@Inject(IdentityService) private readonly service: IdentityService) {}

  static forRoot(options: IdentityOptions): DynamicModule {
    return {
      module: IdentityModule,
      providers: [
        { provide: IdentityService, useFactory: () => IdentityService.open(options) },
        { provide: Identity, useExisting: IdentityService },
        {
          provide: IdentityAdministration,
          useFactory: ({ administration }: IdentityService) => administration,
          inject: [IdentityService],
        },
      ],
      exports: [Identity, IdentityAdministration, IdentityService],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.service.close();
  }
}
