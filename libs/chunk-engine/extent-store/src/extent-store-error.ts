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
  /** There is no catalogue of this name. */
  | 'CatalogueMissing'
  /** There is a catalogue of this name already. */
  | 'CatalogueExists'
  /** The key was to be put only if it is absent. */
  | 'KeyExists'
  /** The changes of one transaction, a key or a value are larger than the device takes. */
  | 'TooLarge'
  /** A page or log record of the device does not verify: what it held is unknown, not absent. */
  | 'MetadataDamaged'
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
