import { Module, type DynamicModule } from '@nestjs/common';
import { Identity, IdentityAdministration, Metadata, ObjectData } from '@holdfast/contracts';
import { GatewayModule, type GatewayModuleOptions } from '@holdfast/gateway';

export interface ApiPorts {
  readonly identity: Identity;
  readonly administration: IdentityAdministration;
  readonly metadata: Metadata;
  readonly data: ObjectData;
}

/** The remote adapters under the names of their ports. */
@Module({})
class PortsModule {
  static of(ports: ApiPorts): DynamicModule {
    return {
      module: PortsModule,
      providers: [
        { provide: Identity, useValue: ports.identity },
        { provide: IdentityAdministration, useValue: ports.administration },
        { provide: Metadata, useValue: ports.metadata },
        { provide: ObjectData, useValue: ports.data },
      ],
      exports: [Identity, IdentityAdministration, Metadata, ObjectData],
    };
  }
}

@Module({})
export class AppModule {
  static forRoot(ports: ApiPorts, options: GatewayModuleOptions): DynamicModule {
    return { module: AppModule, imports: [GatewayModule.forRoot({ ...options, imports: [PortsModule.of(ports)] })] };
  }
}
