/** Asks the data nodes of a cluster themselves what they hold: not the database. */
import { backgroundCall, type ListedUnit } from '@holdfast/contracts';
import { DataPlaneConnections, RemoteUnitStore } from '@holdfast/clients';
import { InternalAuthenticator } from '@holdfast/service-host';
import type { Members, Plan } from './tested-store.js';

export interface HeldUnit extends ListedUnit {
  readonly node: string;
  readonly setId: number;
  readonly deviceId: string;
}

export class ClusterNodes {
  private constructor(
    private readonly members: Members,
    private readonly units: RemoteUnitStore,
    private readonly connections: DataPlaneConnections,
  ) {}

  static of(members: Members): ClusterNodes {
    const auth = new InternalAuthenticator(Buffer.from(members.clusterSecret, 'hex'));
    const connections = new DataPlaneConnections(auth);
    return new ClusterNodes(members, new RemoteUnitStore(connections), connections);
  }

  private get plan(): Plan {
    return this.members.plan;
  }

  /** S3 endpoints of the APIs, past the load balancer. */
  apiEndpoints(): Promise<string[]> {
    const apis = Object.entries(this.plan.ports).filter(([name]) => name.startsWith('api-'));
    return Promise.all(apis.map(async ([name, { s3 }]) => `http://${await this.members.hostOf(name)}:${s3}`));
  }

  nodesOfSet(setId: number): string[] {
    return this.plan.nodes.filter((node) => node.setId === setId).map((node) => node.name);
  }

  /** Every unit of a set; a node that does not answer is an error. */
  async unitsOfSet(setId: number): Promise<HeldUnit[]> {
    const held: HeldUnit[] = [];
    for (const node of this.plan.nodes.filter((one) => one.setId === setId)) {
      const address = `${await this.members.hostOf(node.name)}:${this.plan.ports[node.name].http}`;
      for (const { deviceId } of node.devices) {
        const device = { deviceId, nodeId: node.name, address };
        let after: ListedUnit | undefined;
        for (;;) {
          const page = await this.units.list(backgroundCall(10_000), device, {
            limit: 1000,
            minimumAgeMs: 0,
            ...(after ? { after } : {}),
          });
          held.push(...page.map((unit) => ({ ...unit, node: node.name, setId, deviceId })));
          if (page.length < 1000) break;
          after = page.at(-1);
        }
      }
    }
    return held;
  }

  /** Chunks of which this set holds at least k units, by size. */
  async wholeChunks(
    setId: number,
  ): Promise<{ writeId: string; chunkId: string; chunkSizeBytes: number; units: HeldUnit[] }[]> {
    const byChunk = Map.groupBy(await this.unitsOfSet(setId), (unit) => unit.chunkId);
    return [...byChunk.entries()]
      .filter(([, units]) => units.length >= units[0].k)
      .map(([chunkId, units]) => ({
        chunkId,
        writeId: units[0].writeId,
        chunkSizeBytes: units[0].chunkSizeBytes,
        units,
      }));
  }

  close(): void {
    this.connections.close();
  }
}
