/** The device as the store sees it; a simulated one cuts the power or fails at any call. */
export abstract class DeviceFile {
  /** Fills `target` from `position`; resolves to the bytes read, fewer only at the end of the device. */
  abstract read(target: Uint8Array, position: number): Promise<number>;
  /** Writes all buffers one after the other from `position`. The bytes are durable only after `flush`. */
  abstract write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Resolves when every write that resolved before the call is durable. */
  abstract flush(): Promise<void>;
  /** Makes a regular file at least this long; a block device is as long as it is. */
  abstract reserve(capacityBytes: number): Promise<void>;
  /** Resolves when nothing is under way any more; later calls of the others reject. */
  abstract close(): Promise<void>;
}

export abstract class DevicePort {
  /** Opens an existing device file for reading and writing. */
  abstract open(path: string): Promise<DeviceFile>;
  /** Opens the file, or makes an empty one whose directory entry is durable. */
  abstract create(path: string): Promise<DeviceFile>;
  /** Takes the device for this process; resolves to the function that gives it back. DeviceBusy when it is taken. */
  abstract claim(deviceId: string, path: string): Promise<() => Promise<void>>;
}
