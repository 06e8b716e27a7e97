/** Whether the file system below said that it has no room. */
export function isNoSpace(cause: unknown): cause is Error {
  return cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT');
}

/**
 * Writes of what is durable in the log already, small units and metadata pages on their way to their places: without room in
 * the file system below they wait for it, and it is told to new units. Nothing is lost by waiting; only the log fills.
 */
export class RoomBelow {
  private isClosing = false;
  /** Called when there is no room. */
  onNoSpace: () => void = () => undefined;

  /** @param pause resolves after a while */
  constructor(private readonly pause: () => Promise<void>) {}

  /** No more waiting. */
  close(): void {
    this.isClosing = true;
  }

  /** Errors: those of `write`, but for want of room, which is an error only once it is closing. */
  async wait(write: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await write();
      } catch (cause) {
        if (!isNoSpace(cause)) throw cause;
        await this.pauseAfter(cause);
      }
    }
  }

  /** Resolves after a while, in which room may come. Errors: `cause` once it is closing. */
  async pauseAfter(cause: Error): Promise<void> {
    if (this.isClosing) throw cause;
    this.onNoSpace();
    await this.pause();
  }
}
