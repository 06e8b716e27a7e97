import type { CallContext } from './call-context.js';
import { s, type Infer } from './schema.js';

/** A row of the outbox on its way to the component that owes the work. Redelivered until confirmed: handlers are idempotent. */
export const IntentSchema = s.union('kind', {
  /** Copy the write to the secondary set. */
  replicate: s.object({
    kind: s.oneOf('replicate'),
    intentId: s.bigint,
    bucketId: s.bigint,
    writeId: s.hex(16),
    requestId: s.string(32),
  }),
  /** Free the bytes of a write that no record names any more. */
  free: s.object({
    kind: s.oneOf('free'),
    intentId: s.bigint,
    bucketId: s.bigint,
    writeId: s.hex(16),
    chunks: s.bytes,
  }),
});
export type Intent = Infer<typeof IntentSchema>;

/** Carries claimed intents from the relay to the handler: in the process, or over Kafka. Resolves when they are handed over. */
export abstract class IntentBus {
  abstract publish(call: CallContext, intents: readonly Intent[]): Promise<void>;
}

/** Does the work and confirms it at the metadata service. Throws when it is to be delivered again. */
export abstract class IntentHandler {
  abstract handle(call: CallContext, intent: Intent): Promise<void>;
}
