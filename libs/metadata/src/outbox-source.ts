import type { Intent } from '@holdfast/contracts';

/** What the relay needs of the outbox table. */
export interface OutboxSource {
  /**
   * Takes rows that are due and nobody's: each is the caller's until its claim lapses, longer with every attempt.
   * A row stays until its effect is confirmed.
   */
  claimIntents(limit: number): Promise<ClaimedIntent[]>;
  /** Gives claimed rows back to be taken again after `backoffMs`. */
  releaseIntents(intents: readonly ClaimedIntent[], backoffMs: number): Promise<void>;
  /** Calls back after a commit of this or another process that owes work. Answers the function that ends it. */
  onOutboxWritten(wake: () => void): () => void;
}

export interface ClaimedIntent {
  readonly intent: Intent;
  /** Deliveries so far, this one included. */
  readonly attempts: number;
}
