import { HoldfastError, type NodeEntry, type StorageSetEntry } from '@holdfast/contracts';

/**
 * The stored sets with what a start brings: new sets, nodes, controllers and devices are added, addresses follow; states,
 * weights and slots that are stored stay. Undefined when nothing is new. Errors: InvalidRequest when a slot has another device.
 */
export function mergeSets(
  stored: readonly StorageSetEntry[],
  seed: readonly StorageSetEntry[],
): StorageSetEntry[] | undefined {
  const merged = structuredClone(stored) as StorageSetEntry[];
  for (const seedSet of seed) {
    const set = merged.find((candidate) => candidate.setId === seedSet.setId);
    if (set === undefined) merged.push(seedSet);
    else for (const node of seedSet.nodes) mergeNode(set, node);
  }
  return JSON.stringify(merged) === JSON.stringify(stored) ? undefined : merged;
}

function mergeNode(set: StorageSetEntry, seed: NodeEntry): void {
  for (const device of seed.controllers.flatMap((controller) => controller.devices)) assertSlotIsFree(set, device);
  const node = set.nodes.find((candidate) => candidate.nodeId === seed.nodeId);
  if (node === undefined) {
    set.nodes.push(seed);
    return;
  }
  node.address = seed.address;
  for (const seedController of seed.controllers) {
    const controller = node.controllers.find((candidate) => candidate.controllerId === seedController.controllerId);
    if (controller === undefined) {
      node.controllers.push(seedController);
      continue;
    }
    for (const device of seedController.devices) {
      const known = controller.devices.some((candidate) => candidate.deviceId === device.deviceId);
      if (!known) controller.devices.push(device);
    }
  }
}

function assertSlotIsFree(set: StorageSetEntry, device: { deviceId: string; slot: number }): void {
  for (const node of set.nodes) {
    for (const other of node.controllers.flatMap((controller) => controller.devices)) {
      if (other.slot === device.slot && other.deviceId !== device.deviceId) {
        throw new HoldfastError(
          'InvalidRequest',
          `Slot ${device.slot} of set ${set.setId} belongs to device ${other.deviceId}, not ${device.deviceId}. ` +
            'Start with the device that the cluster knows, or give the slot its replacement by a change of the cluster map.',
        );
      }
    }
  }
}
