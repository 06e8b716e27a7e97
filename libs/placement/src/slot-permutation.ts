/**
 * Which devices of a set should hold the units of a chunk. Pure: everything follows from the chunk id and the map.
 *
 * Every node, controller and device draws a key from (chunk id, its own name). Devices of one controller are ordered by
 * key; controllers of a node take turns, so do the nodes. Keys do not depend on who else is in the list: taking a dead
 * device out moves little of the rest, and the order of the input does not matter.
 */
import { assert } from '@holdfast/stdx';

/** One device slot of a set, as the map shows it. */
export interface PlacementDevice {
  /** Position in the set; what a chunk's entry records. */
  readonly slot: number;
  readonly nodeId: string;
  /** Failure domain inside the node; the same name on two nodes means two controllers. */
  readonly controllerId: string;
  /** Not known to be dead. */
  readonly live: boolean;
  /** Takes new units (not full, not draining). */
  readonly writable: boolean;
}

interface Domain<Member> {
  readonly order: number;
  readonly members: Member[];
}

/**
 * All slots in order of preference for the chunk: any prefix is spread over nodes first, then controllers, then devices.
 * Liveness is not looked at; filter the devices first.
 * @param chunkId 32 hexadecimal digits
 */
export function permuteSlots(chunkId: string, devices: readonly PlacementDevice[]): number[] {
  const seed = seedOf(chunkId);
  const byNode = groupBy(devices, (device) => device.nodeId);
  const nodes: Domain<number>[] = [];
  for (const [nodeId, ofNode] of byNode) {
    const controllers: Domain<number>[] = [];
    for (const [controllerId, ofController] of groupBy(ofNode, (device) => device.controllerId)) {
      const slots = ofController
        .map((device) => ({ slot: device.slot, key: drawKey(seed, `d${device.slot}`) }))
        .sort((a, b) => a.key - b.key || a.slot - b.slot)
        .map((drawn) => drawn.slot);
      controllers.push({ order: drawOrder(seed, `c${nodeId}\0${controllerId}`, slots.length), members: slots });
    }
    nodes.push({ order: drawOrder(seed, `n${nodeId}`, ofNode.length), members: takeTurns(controllers) });
  }
  const slots = takeTurns(nodes);
  assert(new Set(slots).size === devices.length, 'A slot appears once in a set', { devices: devices.length });
  return slots;
}

/** One member of every domain in turn, in the domains' order, until all are empty. */
function takeTurns<Member>(domains: Domain<Member>[]): Member[] {
  domains.sort((a, b) => a.order - b.order);
  const longest = Math.max(0, ...domains.map((domain) => domain.members.length));
  const taken: Member[] = [];
  for (let round = 0; round < longest; round += 1) {
    for (const domain of domains) if (round < domain.members.length) taken.push(domain.members[round]);
  }
  return taken;
}

function groupBy(devices: readonly PlacementDevice[], nameOf: (device: PlacementDevice) => string) {
  const groups = new Map<string, PlacementDevice[]>();
  for (const device of devices) {
    const group = groups.get(nameOf(device));
    if (group === undefined) groups.set(nameOf(device), [device]);
    else group.push(device);
  }
  return groups;
}

/** Sorting by -ln(u)/weight draws without replacement by weight: a node with more devices comes first more often. */
function drawOrder(seed: Seed, name: string, weight: number): number {
  return -Math.log(drawKey(seed, name)) / weight;
}

type Seed = readonly [number, number, number, number];

function seedOf(chunkId: string): Seed {
  assert(/^[0-9a-f]{32}$/.test(chunkId), 'A chunk id is 32 lower-case hexadecimal digits', { chunkId });
  return [0, 8, 16, 24].map((at) => parseInt(chunkId.slice(at, at + 8), 16)) as unknown as Seed;
}

/** A number in (0, 1), from the 128-bit seed and a name; 53 bits mixed by two lanes of a 32-bit avalanche. */
function drawKey(seed: Seed, name: string): number {
  let high = seed[0] ^ 0x9e3779b9;
  let low = seed[1] ^ 0x85ebca6b;
  for (let index = 0; index < name.length; index += 1) {
    high = Math.imul(high ^ name.charCodeAt(index), 0x01000193);
    low = Math.imul(low ^ name.charCodeAt(index), 0x5bd1e995);
    low ^= low >>> 15;
  }
  high = avalanche(high ^ seed[2]);
  low = avalanche(low ^ seed[3] ^ high);
  high = avalanche(high + low);
  return ((high >>> 0) * 2 ** 21 + (low >>> 11) + 0.5) / 2 ** 53;
}

function avalanche(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}
