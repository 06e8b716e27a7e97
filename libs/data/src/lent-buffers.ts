/** Bytes in order. They are lent: once they are released their memory is used for others. */
export interface LentBuffers {
  readonly buffers: readonly Buffer[];
  /** Once. */
  readonly release: () => void;
}
