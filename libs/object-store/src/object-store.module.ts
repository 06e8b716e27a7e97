import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { IntentHandler, Metadata, TraceLog, UnitStore, type StorageSetEntry } from '@holdfast/contracts';
import { DataModule } from '@holdfast/data';
import {
  closeDevices,
  DataNodeModule,
  DeviceScrubber,
  openDevices,
  type DeviceSetting,
  type OwnedDevice,
} from '@holdfast/data-node';
import { LocalIntentBus } from '@holdfast/events';
import { GatewayModule, S3Listener, type GatewayOptions } from '@holdfast/gateway';
import { IdentityModule, type Bootstrap, type IdentitySettings, type RootCredentials } from '@holdfast/identity';
import { MetadataModule, MetadataService, OutboxRelay, type MetadataSettings } from '@holdfast/metadata';
import { log, setting } from '@holdfast/service-host';

export interface ObjectStoreOptions {
  /** postgres://…, 15 or newer. */
  readonly databaseUrl: string;
  /** At least 32 bytes: seals the secrets in the database. The same at every start. */
  readonly secret: Buffer;
  readonly rootCredentials: RootCredentials;
  readonly clusterId: string;
  /** The storage set that the devices form. */
  readonly sets: readonly StorageSetEntry[];
  readonly devices: readonly DeviceSetting[];
  /** Name of this process in traces. */
  readonly name: string;
  readonly region?: string;
  readonly signatureV2?: GatewayOptions['signatureV2'];
  readonly domains?: GatewayOptions['domains'];
  /** What the S3 port holds clients to. */
  readonly http?: Pick<GatewayOptions, 'limits' | 'trustedProxies'>;
  readonly identity?: Partial<IdentitySettings>;
  /** Accounts and users to be there from the start. */
  readonly bootstrap?: Bootstrap;
  readonly metadata?: Partial<MetadataSettings>;
  /** Age from which a unit that no record names is collected, and how often that is looked for. */
  readonly collectIntervalMs?: number;
  /** How fast each device is read in the background to verify it; 0 for never. */
  readonly scrubBytesPerSecond?: number;
}

const DEVICES = Symbol('opened devices');

/**
 * The whole store as one Nest module: every feature with its local adapters, one storage set on the devices of this process.
 * The S3 listener is provided, not yet listening.
 */
@Module({})
export class ObjectStoreModule implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    @Inject(S3Listener) private readonly listener: S3Listener,
    @Inject(OutboxRelay) private readonly relay: OutboxRelay,
    @Inject(LocalIntentBus) private readonly bus: LocalIntentBus,
    @Inject(DEVICES) private readonly devices: readonly OwnedDevice[],
    @Inject(DeviceScrubber) private readonly scrubber: DeviceScrubber,
  ) {}

  static async forRoot(options: ObjectStoreOptions): Promise<DynamicModule> {
    const trace = new TraceLog(options.name);
    const devices = await openDevices({
      devices: options.devices,
      clusterId: options.clusterId,
    });
    const identity = IdentityModule.forRoot({
      databaseUrl: options.databaseUrl,
      clusterSecret: options.secret,
      rootCredentials: options.rootCredentials,
      trace,
      settings: options.identity,
      bootstrap: options.bootstrap,
    });
    const metadata = MetadataModule.forRoot({
      databaseUrl: options.databaseUrl,
      clusterMapSeed: { clusterId: options.clusterId, sets: options.sets },
      trace,
      settings: { ...options.metadata, graceMs: options.metadata?.graceMs ?? setting.collectGraceMs },
    });
    const units = DataNodeModule.forRoot({ devices, trace, scrub: { bytesPerSecond: options.scrubBytesPerSecond } });
    const graceMs = options.metadata?.graceMs ?? setting.collectGraceMs;
    const collector = { graceMs, intervalMs: options.collectIntervalMs };
    const data = DataModule.forRoot({
      imports: [metadata, units],
      inject: [UnitStore, Metadata],
      useFactory: (unitStore: UnitStore, metadataPort: Metadata) => ({
        units: unitStore,
        metadata: metadataPort,
        trace,
        collector,
      }),
    });
    const gateway = GatewayModule.forRoot({
      imports: [identity, metadata, data],
      trace,
      region: options.region,
      signatureV2: options.signatureV2,
      domains: options.domains,
      ...options.http,
    });
    return {
      module: ObjectStoreModule,
      imports: [identity, metadata, units, data, gateway],
      providers: [
        { provide: TraceLog, useValue: trace },
        { provide: DEVICES, useValue: devices },
        {
          provide: LocalIntentBus,
          useFactory: (handler: IntentHandler) => new LocalIntentBus(handler),
          inject: [IntentHandler],
        },
        {
          provide: OutboxRelay,
          useFactory: (source: MetadataService, bus: LocalIntentBus) =>
            new OutboxRelay(source, bus, {
              onError: (error) => log.warn('the outbox relay failed and will try again', { error }),
            }),
          inject: [MetadataService, LocalIntentBus],
        },
      ],
      exports: [TraceLog, identity, metadata, data, gateway],
    };
  }

  onApplicationBootstrap(): void {
    this.relay.start();
    this.scrubber.start();
  }

  /** Requests first, then what they owe; the features close their own in the next phase. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.listener.drain();
    await this.relay.stop();
    this.bus.stop();
    await this.scrubber.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await closeDevices(this.devices);
  }
}
