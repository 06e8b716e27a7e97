import { CONDITION_OPERATORS, type ConditionValue, type ValueTest } from './condition-operator.js';
import { anyOf, type Match } from './policy-text.js';
import type { RequestContext } from './request-context.js';

/** One operator on one key, as the document has it. */
export interface ConditionElement {
  /** As written: `ForAnyValue:StringLikeIfExists`. */
  readonly operator: string;
  readonly key: string;
  readonly values: readonly ConditionValue[];
}

export interface CompiledCondition {
  holds(context: RequestContext): Exclude<Match, 'unresolved'>;
}

const OPERATOR = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/;

interface OperatorName {
  readonly base: string;
  readonly quantifier?: 'ForAllValues' | 'ForAnyValue';
  readonly ifExists: boolean;
}

/** @returns undefined for an operator that AWS does not have */
export function parseOperator(name: string): OperatorName | undefined {
  const found = OPERATOR.exec(name);
  if (found === null) return undefined;
  const [, quantifier, base, suffix] = found as unknown as [string, OperatorName['quantifier'], string, string?];
  const plain = quantifier === undefined && suffix === undefined;
  if (!(base === 'Null' ? plain : CONDITION_OPERATORS.has(base))) return undefined;
  return { base, ifExists: suffix !== undefined, ...(quantifier === undefined ? {} : { quantifier }) };
}

/** What is wrong with the value at an index: it is not of the operator's kind. */
export interface ValueProblem {
  readonly index: number;
  readonly expected: string;
}

/** All keys of all operators have to hold; of the values of one, one. */
export function compileCondition(
  { operator, key, values }: ConditionElement,
  name: OperatorName,
  options: { readonly variables: boolean; readonly denies: boolean },
): CompiledCondition | ValueProblem {
  if (name.base === 'Null') return compileNull(key, values);
  const known = CONDITION_OPERATORS.get(name.base);
  if (known === undefined) throw new TypeError(`${operator} was not checked`);
  const tests: ValueTest[] = [];
  for (const [index, value] of values.entries()) {
    const test = known.compile(value, options.variables);
    if (test === undefined) return { index, expected: known.expected };
    tests.push(test);
  }
  return new KeyCondition(key.toLowerCase(), tests, known.negated, options.denies, name);
}

function compileNull(key: string, values: readonly ConditionValue[]): CompiledCondition | ValueProblem {
  const wanted = values.map((value) => String(value).toLowerCase());
  const index = wanted.findIndex((value) => value !== 'true' && value !== 'false');
  if (index !== -1) return { index, expected: 'true or false' };
  const name = key.toLowerCase();
  return {
    holds(context) {
      const given = context.get(name);
      if (given === 'unread') return given;
      return wanted.includes(String(given === undefined)) ? 'yes' : 'no';
    },
  };
}

class KeyCondition implements CompiledCondition {
  constructor(
    private readonly key: string,
    private readonly tests: readonly ValueTest[],
    private readonly negated: boolean,
    private readonly denies: boolean,
    private readonly name: OperatorName,
  ) {}

  holds(context: RequestContext): Exclude<Match, 'unresolved'> {
    const given = context.get(this.key);
    if (given === 'unread') return given;
    if (given === undefined) return this.holdsWithoutKey() ? 'yes' : 'no';
    const found = this.judge(given, context);
    if (found !== 'unresolved') return found;
    // A value that cannot be made fits nothing. That may make a statement deny, but never make one allow.
    return this.negated && this.denies ? 'yes' : 'no';
  }

  private judge(given: readonly string[], context: RequestContext): Match {
    switch (this.name.quantifier) {
      case 'ForAllValues':
        // One empty value is no value, as AWS counts.
        if (given.every((value) => value === '')) return 'yes';
        return negation(anyOf(given, (value) => negation(this.fits(value, context)), context));
      case 'ForAnyValue':
        return anyOf(given, (value) => this.fits(value, context), context);
      case undefined: {
        const fits = anyOf(given, (value) => this.fitsOne(value, context), context);
        return this.negated ? negation(fits) : fits;
      }
    }
  }

  private holdsWithoutKey(): boolean {
    if (this.name.ifExists || this.name.quantifier === 'ForAllValues') return true;
    return this.negated && this.name.quantifier === undefined;
  }

  /** One value of the request, by the operator as it is written. */
  private fits(value: string, context: RequestContext): Match {
    const fits = this.fitsOne(value, context);
    return this.negated ? negation(fits) : fits;
  }

  private fitsOne(value: string, context: RequestContext): Match {
    return anyOf(this.tests, (test) => test(value, context), context);
  }
}

function negation(match: Match): Match {
  if (match === 'yes') return 'no';
  return match === 'no' ? 'yes' : match;
}
