/** Asks the data nodes of a cluster themselves what they hold: not the database. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backgroundCall, type ListedUnit } from '@holdfast/contracts';
import { DataPlaneConnections, RemoteUnitStore } from '@holdfast/clients';
import { InternalAuthenticator } from '@holdfast/service-host';

interface Plan {
  readonly nodes: readonly { name: string; setId: number; devices: readonly { deviceId: string }[] }[];
  readonly ports: Record<string, { http: number; s3?: number }>;
}

export interface HeldUnit extends ListedUnit {
  readonly node: string;
  readonly setId: number;
  readonly deviceId: string;
}

export class ClusterNodes {
  private constructor(
    readonly plan: Plan,
    private readonly units: RemoteUnitStore,
    private readonly connections: DataPlaneConnections,
  ) {}

  static async of(directory: string): Promise<ClusterNodes> {
    const plan = JSON.parse(await readFile(join(directory, 'cluster.json'), 'utf8')) as Plan;
    const secret = (await readFile(join(directory, 'cluster-secret'), 'utf8')).trim();
    const connections = new DataPlaneConnections(new InternalAuthenticator(Buffer.from(secret, 'hex')));
    return new ClusterNodes(plan, new RemoteUnitStore(connections), connections);
  }

  nodesOfSet(setId: number): string[] {
    return this.plan.nodes.filter((node) => node.setId === setId).map((node) => node.name);
  }

  /** Every unit of a set; a node that does not answer is an error. */
  async unitsOfSet(setId: number): Promise<HeldUnit[]> {
    const held: HeldUnit[] = [];
    for (const node of this.plan.nodes.filter((one) => one.setId === setId)) {
      for (const { deviceId } of node.devices) {
        const device = { deviceId, nodeId: node.name, address: `127.0.0.1:${this.plan.ports[node.name].http}` };
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
