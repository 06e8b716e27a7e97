import { Module, type DynamicModule } from '@nestjs/common';
import { Identity, IdentityAdministration, identityAdministrationService, identityService } from '@holdfast/contracts';
import { IdentityModule, type IdentityOptions } from '@holdfast/identity';
import { InternalAuthenticator, rpcControllerOf } from '@holdfast/service-host';

@Module({})
export class AppModule {
  static forRoot(options: IdentityOptions, auth: InternalAuthenticator): DynamicModule {
    return {
      module: AppModule,
      imports: [IdentityModule.forRoot(options)],
      controllers: [
        rpcControllerOf(identityService, Identity),
        rpcControllerOf(identityAdministrationService, IdentityAdministration),
      ],
      providers: [{ provide: InternalAuthenticator, useValue: auth }],
    };
  }
}
