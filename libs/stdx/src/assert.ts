/** A broken invariant: never caught to be continued from. Carries what is needed to find the state again. */
export class InvariantViolation extends Error {
  constructor(
    message: string,
    readonly facts: Readonly<Record<string, unknown>> = {},
  ) {
    const shown = Object.entries(facts)
      .map(([name, value]) => `${name}=${String(value)}`)
      .join(' ');
    super(shown === '' ? message : `${message} (${shown})`);
    this.name = 'InvariantViolation';
  }
}

/** Assertions stay on in production. */
export function assert(
  condition: unknown,
  message: string,
  facts?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (!condition) throw new InvariantViolation(message, facts);
}
