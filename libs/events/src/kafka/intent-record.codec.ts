import { IntentSchema, type Intent } from '@holdfast/contracts';

/** Intents of one write go to one partition: they are delivered in order and to one consumer. */
export function intentKey(intent: Intent): string {
  return `${intent.bucketId}/${intent.writeId}`;
}

export function encodeIntent(intent: Intent): string {
  return JSON.stringify(IntentSchema.encode(intent, 'intent'));
}

/** Errors: SchemaViolation, SyntaxError for a record that is not ours. */
export function decodeIntent(value: Buffer | null): Intent {
  return IntentSchema.decode(JSON.parse(value === null ? '' : value.toString('utf8')), 'intent');
}
