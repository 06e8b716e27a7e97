import { HoldfastError } from '@holdfast/contracts';

/** What is wrong with a policy: not JSON or not the grammar, or too long. */
export type PolicyFault = 'malformed' | 'too-large';

/** A policy document that was refused. The details name the fault and the place. */
export class PolicyError extends HoldfastError {
  constructor(
    readonly fault: PolicyFault,
    /** Where in the document: `Statement[2].Action[0]`; `document` for the whole. */
    readonly place: string,
    readonly problem: string,
  ) {
    super('MalformedPolicy', `The policy is not valid at ${place}: ${problem}.`, { Fault: fault, Place: place });
    this.name = 'PolicyError';
  }
}
