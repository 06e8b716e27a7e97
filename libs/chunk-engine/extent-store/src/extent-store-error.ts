/** What can go wrong on one device. The data node maps these to the errors of its wire. */
export type ExtentStoreErrorCode =
  /** No free extent, or below the reserve: writes are refused, reads and frees go on. */
  | 'DeviceFull'
  /** A write or a flush failed earlier: nothing is written any more, reads go on while they verify. */
  | 'DeviceDead'
  /** The unit is there with another header or other bytes. */
  | 'UnitExists'
  /** The stored bytes do not verify. */
  | 'UnitDamaged'
  /** The deadline passed before the unit was recorded. */
  | 'LateWrite'
  /** A free was asked for by another cluster, or by an older or restored database. */
  | 'ForeignDatabase'
  /** The file is not a device this version can open; the message names the file and says what to do. */
  | 'BadDevice'
  /** Another process has the device open. */
  | 'DeviceBusy'
  /** `pull` yielded fewer or more bytes than announced, or failed. */
  | 'ShortTransfer';

export class ExtentStoreError extends Error {
  constructor(
    readonly code: ExtentStoreErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ExtentStoreError';
  }
}
