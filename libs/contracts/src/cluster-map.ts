import { s, type Infer } from './schema.js';

export const DATABASE_GENERATION_MAX = 32_767;

/** Sets, nodes, controllers, devices and their states. Kept in Postgres, handed out whole with every change of `epoch`. */
export const DeviceEntrySchema = s.object({
  deviceId: s.string(64),
  /** Place in the set, never reused for another role: what chunk records name. */
  slot: s.integer(0, 65_535),
  generation: s.integer(1),
  state: s.oneOf('live', 'failed'),
});
export const ControllerEntrySchema = s.object({ controllerId: s.string(64), devices: s.array(DeviceEntrySchema) });
export const NodeEntrySchema = s.object({
  nodeId: s.string(64),
  /** host:port of the data plane; empty in standalone, where devices are in the process. */
  address: s.string(255),
  state: s.oneOf('live', 'failed'),
  controllers: s.array(ControllerEntrySchema),
});
export const StorageSetEntrySchema = s.object({
  setId: s.integer(1, 65_535),
  state: s.oneOf('active', 'draining', 'failed'),
  weight: s.integer(1, 1_000_000),
  nodes: s.array(NodeEntrySchema),
});
export const ClusterMapSchema = s.object({
  clusterId: s.string(64),
  /** Raised when the database was restored or rebuilt; the high bits of every sequence, 15 of them: the sign of Postgres' bigint stays free. */
  generation: s.integer(1, DATABASE_GENERATION_MAX),
  epoch: s.bigint,
  sets: s.array(StorageSetEntrySchema),
});
export type DeviceEntry = Infer<typeof DeviceEntrySchema>;
export type NodeEntry = Infer<typeof NodeEntrySchema>;
export type StorageSetEntry = Infer<typeof StorageSetEntrySchema>;
export type ClusterMap = Infer<typeof ClusterMapSchema>;

/** One device of a set with what placement and addressing need, flattened. */
export interface DevicePlace {
  readonly deviceId: string;
  readonly slot: number;
  readonly generation: number;
  readonly nodeId: string;
  readonly controllerId: string;
  readonly address: string;
  /** By the map: its own, its node's and its set's state. */
  readonly live: boolean;
}

/** The devices of a set in slot order. */
export function devicesOfSet(set: StorageSetEntry): DevicePlace[] {
  return set.nodes
    .flatMap((node) =>
      node.controllers.flatMap((controller) =>
        controller.devices.map((device) => ({
          deviceId: device.deviceId,
          slot: device.slot,
          generation: device.generation,
          nodeId: node.nodeId,
          controllerId: controller.controllerId,
          address: node.address,
          live: set.state !== 'failed' && node.state === 'live' && device.state === 'live',
        })),
      ),
    )
    .sort((a, b) => a.slot - b.slot);
}
