import type { Clock } from '@holdfast/stdx';
import type { IntentHandler, MetadataMethods, ObjectData, TraceLog, UnitStore } from '@holdfast/contracts';
import { ClusterMapCache, type ClusterMapCacheOptions } from './cluster-map-cache.js';
import { DataIntentHandler } from './data-intent-handler.js';
import { DeviceHealth, type DeviceHealthOptions } from './device-health.js';
import { GroupPlanner } from './group-planner.js';
import { GroupWriter } from './group-writer.js';
import { ObjectDataService } from './object-data.service.js';
import { ObjectReader, type ObjectReaderOptions } from './object-reader.js';
import { ObjectWriter, type ObjectWriterOptions } from './object-writer.js';
import { OrphanCollector, type OrphanCollectorOptions } from './orphan-collector.worker.js';
import { Replication } from './replication.js';
import { SlowReadWatch } from './slow-read-watch.js';
import { UnitRemover } from './unit-remover.js';

export type DataServiceMetadata = Pick<
  MetadataMethods,
  'clusterMap' | 'findWrite' | 'confirmReplica' | 'confirmIntent' | 'liveWrites' | 'databaseIdentity'
>;

export interface DataServiceOptions extends ObjectWriterOptions, Pick<ObjectReaderOptions, 'readerBufferBytes'> {
  readonly units: UnitStore;
  readonly metadata: DataServiceMetadata;
  readonly trace: TraceLog;
  readonly clock?: Clock;
  /** A unit that has not come after this time is computed from others meanwhile. */
  readonly hedgeAfterMs?: number;
  readonly replicatorBufferBytes?: number;
  readonly map?: ClusterMapCacheOptions;
  readonly health?: DeviceHealthOptions;
  readonly collector?: OrphanCollectorOptions;
}

/** The data service put together: what it offers to others, and its workers. */
export interface DataService {
  readonly objects: ObjectData;
  readonly intents: IntentHandler;
  readonly collector: OrphanCollector;
  readonly maps: ClusterMapCache;
  readonly health: DeviceHealth;
  /** Begins to look at the map and to collect. Requests are served before it, too. */
  start(): void;
  stop(): Promise<void>;
}

export function createDataService(options: DataServiceOptions): DataService {
  const { units, metadata, trace, clock } = options;
  const maps = new ClusterMapCache(metadata, { clock, ...options.map });
  const health = new DeviceHealth(units, { clock, ...options.health });
  const slowReads = new SlowReadWatch(options.hedgeAfterMs);
  const groups = new GroupWriter({ units, maps, health, planner: new GroupPlanner(health) });
  const writer = new ObjectWriter(groups, maps, trace, options);
  const makeRoom = (): void => writer.pool.dropIdle();
  const reader = new ObjectReader({ units, maps, health, slowReads }, trace, { ...options, makeRoom });
  const remover = new UnitRemover(units, maps, metadata);
  const bufferBytes = options.replicatorBufferBytes;
  const replication = new Replication({ metadata, maps, reader, groups, remover, trace, clock, bufferBytes });
  const collector = new OrphanCollector(units, metadata, maps, options.collector);
  return {
    objects: new ObjectDataService(writer, reader),
    intents: new DataIntentHandler(metadata, replication, remover),
    collector,
    maps,
    health,
    start: () => {
      maps.start();
      collector.start();
    },
    stop: async () => {
      maps.stop();
      health.stop();
      slowReads.stop();
      await collector.stop();
    },
  };
}
