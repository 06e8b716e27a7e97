import { HoldfastError } from '@holdfast/contracts';

/**
 * The highest epoch of a cluster map that any caller has shown. A caller with an older map is refused before it changes
 * anything: its view of which devices are live may be the reason for the newer map.
 */
export class EpochFence {
  constructor(private highest: bigint = 0n) {}

  get epoch(): bigint {
    return this.highest;
  }

  /** Errors: StaleEpoch. */
  admit(epoch: bigint): void {
    if (epoch < this.highest)
      throw new HoldfastError('StaleEpoch', undefined, { epoch: String(epoch), newest: String(this.highest) });
    if (epoch > this.highest) this.highest = epoch;
  }
}
