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

interface Drawn {
  readonly order: number;
  readonly slot: number;
}

interface Domain<Member> {
  readonly order: number;
  readonly members: Member[];
}

/** Devices by their failure domains, each with the name that its key is drawn for. */
interface Topology {
  readonly nodes: readonly {
    readonly name: string;
    readonly deviceCount: number;
    readonly controllers: readonly {
      readonly name: string;
      readonly devices: readonly { readonly slot: number; readonly name: string }[];
    }[];
  }[];
}

/** A list of devices serves for as long as the map and the devices' health stay as they are: it is sorted once. */
const topologies = new WeakMap<readonly PlacementDevice[], Topology>();

/**
 * All slots in order of preference for the chunk: any prefix is spread over nodes first, then controllers, then devices.
 * Liveness is not looked at; filter the devices first.
 * @param chunkId 32 hexadecimal digits
 * @param devices must not be changed afterwards: what is known of the list is remembered with it
 */
export function permuteSlots(chunkId: string, devices: readonly PlacementDevice[]): number[] {
  let topology = topologies.get(devices);
  if (topology === undefined) {
    topology = topologyOf(devices);
    topologies.set(devices, topology);
  }
  const seed = seedOf(chunkId);
  const nodes: Domain<number>[] = [];
  for (const node of topology.nodes) {
    const controllers: Domain<number>[] = [];
    for (const { name, devices: ofController } of node.controllers) {
      const drawn: Drawn[] = [];
      for (const { slot, name: ofDevice } of ofController) insert(drawn, { slot, order: drawKey(seed, ofDevice) });
      const slots: number[] = [];
      for (const { slot } of drawn) slots.push(slot);
      insert(controllers, { order: drawOrder(seed, name, slots.length), members: slots });
    }
    insert(nodes, { order: drawOrder(seed, node.name, node.deviceCount), members: takeTurns(controllers) });
  }
  return takeTurns(nodes);
}

function topologyOf(devices: readonly PlacementDevice[]): Topology {
  assert(new Set(devices.map(({ slot }) => slot)).size === devices.length, 'A slot appears once in a set', {
    devices: devices.length,
  });
  const nodes = [...groupBy(devices, (device) => device.nodeId)].map(([nodeId, ofNode]) => ({
    name: `n${nodeId}`,
    deviceCount: ofNode.length,
    controllers: [...groupBy(ofNode, (device) => device.controllerId)].map(([controllerId, ofController]) => ({
      name: `c${nodeId}\0${controllerId}`,
      // Of two that draw one number the lower slot comes first.
      devices: ofController.map(({ slot }) => ({ slot, name: `d${slot}` })).sort((a, b) => a.slot - b.slot),
    })),
  }));
  return { nodes };
}

/** Keeps a list in order. There are few at a time, and a sort makes more garbage than all the rest of a permutation. */
function insert<Ordered extends { readonly order: number }>(sorted: Ordered[], next: Ordered): void {
  let at = sorted.push(next) - 1;
  for (; at > 0 && sorted[at - 1].order > next.order; at -= 1) sorted[at] = sorted[at - 1];
  sorted[at] = next;
}

/** One member of every domain in turn, in the domains' order, until all are empty. */
function takeTurns<Member>(domains: readonly Domain<Member>[]): Member[] {
  if (domains.length === 1) return domains[0].members;
  let longest = 0;
  for (const { members } of domains) longest = Math.max(longest, members.length);
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
  assert(chunkId.length === 32, 'A chunk id is 32 lower-case hexadecimal digits', { chunkId });
  return [wordOf(chunkId, 0), wordOf(chunkId, 8), wordOf(chunkId, 16), wordOf(chunkId, 24)];
}

/** Eight digits as a number: without the texts that cutting them out would make. */
function wordOf(chunkId: string, from: number): number {
  let word = 0;
  for (let at = from; at < from + 8; at += 1) {
    const code = chunkId.charCodeAt(at);
    const digit = code >= 0x30 && code <= 0x39 ? code - 0x30 : code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
    if (digit < 0) assert(false, 'A chunk id is 32 lower-case hexadecimal digits', { chunkId });
    word = (word << 4) | digit;
  }
  return word >>> 0;
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
