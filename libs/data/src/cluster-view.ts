import { devicesOfSet, type ClusterMap, type DevicePlace, type StorageSetEntry } from '@holdfast/contracts';

/** One storage set of a map with its devices by slot. */
export class SetView {
  readonly setId: number;
  readonly state: StorageSetEntry['state'];
  readonly weight: number;
  readonly places: readonly DevicePlace[];
  private readonly bySlot = new Map<number, DevicePlace>();

  constructor(entry: StorageSetEntry) {
    this.setId = entry.setId;
    this.state = entry.state;
    this.weight = entry.weight;
    this.places = devicesOfSet(entry);
    for (const place of this.places) this.bySlot.set(place.slot, place);
  }

  place(slot: number): DevicePlace | undefined {
    return this.bySlot.get(slot);
  }
}

/** A cluster map with its look-ups made once. */
export class ClusterView {
  readonly epoch: bigint;
  readonly sets = new Map<number, SetView>();
  private readonly orders = new Map<number, readonly SetView[]>();

  constructor(readonly map: ClusterMap) {
    this.epoch = map.epoch;
    for (const entry of map.sets) this.sets.set(entry.setId, new SetView(entry));
  }

  place(setId: number, slot: number): DevicePlace | undefined {
    return this.sets.get(setId)?.place(slot);
  }

  /** The sets that take new bytes: the home set, then the others by id. */
  writeOrder(homeSetId: number): readonly SetView[] {
    const known = this.orders.get(homeSetId);
    if (known !== undefined) return known;
    const active = [...this.sets.values()].filter((set) => set.state === 'active');
    const rank = (set: SetView) => (set.setId === homeSetId ? -1 : set.setId);
    const order = active.sort((a, b) => rank(a) - rank(b));
    this.orders.set(homeSetId, order);
    return order;
  }
}
