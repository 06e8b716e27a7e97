/** What kept a local service from running. Programs branch on the code; the message says what to do. */
export type LocalServiceErrorCode =
  | 'PortTaken'
  | 'NotPermitted'
  | 'InUse'
  | 'BinaryMissing'
  | 'DamagedFile'
  | 'NotReachable'
  | 'TooOld'
  | 'StartFailed'
  | 'StopFailed'
  // A command line or an environment that does not fit.
  | 'BadOption';

/** An operating error of a local Postgres or Kafka. The message names the cause and the way to fix it. */
export class LocalServiceError extends Error {
  constructor(
    readonly code: LocalServiceErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'LocalServiceError';
  }
}
