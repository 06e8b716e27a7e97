import type { ClusterMap } from '@holdfast/contracts';

export interface ClusterShape {
  readonly clusterId?: string;
  readonly epoch?: bigint;
  /** Nodes of each set. */
  readonly sets: readonly { readonly nodes: number; readonly devicesPerNode: number }[];
  /** host:port of each node; devices in the process by default. */
  readonly address?: (nodeId: string) => string;
  readonly deviceId?: (setId: number, slot: number) => string;
}

/** A map of sets 1, 2, … with nodes `s1n1`, … and devices `s1d0`, …, one device a controller. */
export function clusterMapOf(shape: ClusterShape): ClusterMap {
  const deviceIdOf = shape.deviceId ?? ((setId, slot) => `s${setId}d${slot}`);
  return {
    clusterId: shape.clusterId ?? 'in-memory',
    generation: 1,
    epoch: shape.epoch ?? 1n,
    sets: shape.sets.map(({ nodes, devicesPerNode }, setAt) => ({
      setId: setAt + 1,
      state: 'active',
      weight: 1,
      nodes: Array.from({ length: nodes }, (_, nodeAt) => {
        const nodeId = `s${setAt + 1}n${nodeAt + 1}`;
        return {
          nodeId,
          address: shape.address?.(nodeId) ?? '',
          state: 'live',
          controllers: Array.from({ length: devicesPerNode }, (_unused, deviceAt) => {
            const slot = nodeAt * devicesPerNode + deviceAt;
            const device = { deviceId: deviceIdOf(setAt + 1, slot), slot, generation: 1, state: 'live' as const };
            return { controllerId: `c${deviceAt + 1}`, devices: [device] };
          }),
        };
      }),
    })),
  };
}

/** The ids of all devices of a map. */
export function deviceIdsOf(map: ClusterMap): string[] {
  return map.sets.flatMap((set) =>
    set.nodes.flatMap((node) => node.controllers.flatMap(({ devices }) => devices.map(({ deviceId }) => deviceId))),
  );
}

/** The same map one epoch later, with these devices marked failed. */
export function withFailedDevices(map: ClusterMap, failed: readonly string[]): ClusterMap {
  return {
    ...map,
    epoch: map.epoch + 1n,
    sets: map.sets.map((set) => ({
      ...set,
      nodes: set.nodes.map((node) => ({
        ...node,
        controllers: node.controllers.map((controller) => ({
          ...controller,
          devices: controller.devices.map((device) =>
            failed.includes(device.deviceId) ? { ...device, state: 'failed' as const } : device,
          ),
        })),
      })),
    })),
  };
}
