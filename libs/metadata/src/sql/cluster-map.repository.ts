import { randomUUID } from 'node:crypto';
import { ClusterMapSchema, HoldfastError, type ClusterMap, type DatabaseIdentity } from '@holdfast/contracts';
import { assert } from '@holdfast/stdx';
import { countAcceptingSets } from '../domain/bucket-defaults.js';
import { mergeSets } from '../domain/cluster-map-merge.js';
import type { ClusterMapSeed } from '../metadata-options.js';
import type { MetadataDatabase, Row, Statement } from './database.js';

type Run = (statement: Statement) => Promise<Row[]>;

const CURRENT: Statement = {
  name: 'cluster_map',
  text: 'SELECT m.document FROM metadata.cluster_map m ORDER BY m.epoch DESC LIMIT 1',
};

/** The number of the last sequence or revision that was drawn, with the generation in its high bits. */
export const IDENTITY_COLUMNS =
  '(SELECT c.cluster_id FROM metadata.cluster c), (SELECT c.generation FROM metadata.cluster c), ' +
  '(SELECT c.generation::bigint << 48 FROM metadata.cluster c) | (SELECT s.last_value FROM metadata.number_source s)';

export function identityFromRow(row: Row): DatabaseIdentity {
  return { clusterId: row[0] as string, generation: row[1] as number, sequence: BigInt(row[2] as string) };
}

export class ClusterMapRepository {
  constructor(private readonly database: MetadataDatabase) {}

  /** Errors: ServiceUnavailable. */
  async current(): Promise<ClusterMap> {
    return mapFromRow(await this.database.read('reads', CURRENT));
  }

  /** Errors: InvalidRequest when the database is new and nothing has told it what the cluster consists of. */
  async assertPresent(): Promise<void> {
    const rows = await this.database.read('reads', CURRENT);
    if (rows.length > 0) return;
    throw new HoldfastError('InvalidRequest', 'The database holds no cluster map yet: start with a clusterMapSeed.');
  }

  /** The map of an epoch, undefined when there never was one. */
  async ofEpoch(epoch: bigint): Promise<ClusterMap | undefined> {
    const rows = await this.database.read('reads', {
      name: 'cluster_map_of_epoch',
      text: 'SELECT m.document FROM metadata.cluster_map m WHERE m.epoch = $1',
      values: [epoch],
    });
    return rows.length === 0 ? undefined : mapFromRow(rows);
  }

  async identity(): Promise<DatabaseIdentity> {
    const [row] = await this.database.read('reads', { name: 'identity', text: `SELECT ${IDENTITY_COLUMNS}` });
    return identityFromRow(row);
  }

  /** Makes the first map, or adds what the seed has and the map has not. Errors: ForeignDatabase, InvalidRequest. */
  async applySeed(seed: ClusterMapSeed): Promise<void> {
    await this.alone(async (run) => {
      const known = await run({ text: 'SELECT c.cluster_id FROM metadata.cluster c' });
      if (known.length === 0) {
        const first: ClusterMap = {
          clusterId: seed.clusterId ?? randomUUID(),
          generation: 1,
          epoch: 1n,
          sets: [...seed.sets],
        };
        await run({
          text: 'INSERT INTO metadata.cluster (cluster_id, generation) VALUES ($1, 1)',
          values: [first.clusterId],
        });
        await insertMap(run, first);
        return;
      }
      const clusterId = known[0][0] as string;
      if (seed.clusterId !== undefined && seed.clusterId !== clusterId) {
        throw new HoldfastError(
          'ForeignDatabase',
          `The database belongs to cluster ${clusterId}, not ${seed.clusterId}.`,
        );
      }
      const map = mapFromRow(await run(CURRENT));
      const sets = mergeSets(map.sets, seed.sets);
      if (sets !== undefined) await insertMap(run, { ...map, epoch: map.epoch + 1n, sets });
    });
  }

  /** The next epoch, made while no commit is under way. */
  async change(change: (map: ClusterMap) => Pick<ClusterMap, 'sets'>): Promise<ClusterMap> {
    return this.alone(async (run) => {
      const map = mapFromRow(await run(CURRENT));
      const next: ClusterMap = { ...map, epoch: map.epoch + 1n, sets: change(structuredClone(map)).sets };
      await insertMap(run, next);
      return next;
    });
  }

  private alone<T>(work: (run: Run) => Promise<T>): Promise<T> {
    return this.database.transaction('reads', async (run) => {
      await run({ text: 'SELECT pg_advisory_xact_lock(0)' });
      return work(run);
    });
  }
}

async function insertMap(run: Run, map: ClusterMap): Promise<void> {
  await run({
    text:
      'INSERT INTO metadata.cluster_map (epoch, document, accepting_sets, made_at_ms) ' +
      'VALUES ($1, $2::jsonb, $3, metadata.now_ms())',
    values: [map.epoch, JSON.stringify(ClusterMapSchema.encode(map, 'clusterMap')), countAcceptingSets(map.sets)],
  });
}

function mapFromRow(rows: readonly Row[]): ClusterMap {
  assert(rows.length === 1, 'the database holds a cluster map');
  return ClusterMapSchema.decode(rows[0][0], 'clusterMap');
}
