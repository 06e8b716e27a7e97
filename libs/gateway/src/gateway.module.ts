import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common';
import type { Clock } from '@holdfast/stdx';
import { Identity, IdentityAdministration, Metadata, ObjectData, type TraceLog } from '@holdfast/contracts';
import type { GatewayOptions } from './gateway-options.js';
import { S3Listener } from './http/s3-listener.js';

export interface GatewayModuleOptions extends GatewayOptions {
  /** Modules that export `Identity`, `IdentityAdministration`, `Metadata` and `ObjectData`; not needed where those are global. */
  readonly imports?: ModuleMetadata['imports'];
  readonly trace: TraceLog;
  readonly clock?: Clock;
}

/** Provides `S3Listener` over the ports of the container. It does not listen by itself; it drains and closes at shutdown. */
@Module({})
export class GatewayModule {
  static forRoot({ imports = [], trace, clock, ...options }: GatewayModuleOptions): DynamicModule {
    return {
      module: GatewayModule,
      imports,
      providers: [
        {
          provide: S3Listener,
          useFactory: (
            identity: Identity,
            administration: IdentityAdministration,
            metadata: Metadata,
            data: ObjectData,
          ) => new S3Listener({ identity, administration, metadata, data, trace, clock }, options),
          inject: [Identity, IdentityAdministration, Metadata, ObjectData],
        },
      ],
      exports: [S3Listener],
    };
  }
}
