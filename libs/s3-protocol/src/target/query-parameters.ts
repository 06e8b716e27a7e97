import { queryDecode } from './percent-coding.js';

export interface QueryParameter {
  readonly rawName: string;
  readonly rawValue: string;
  readonly name: string;
  readonly value: string;
}

/** The query of a request in order of arrival, each parameter as sent and decoded. */
export class QueryParameters {
  constructor(readonly pairs: readonly QueryParameter[]) {}

  /** @throws HoldfastError InvalidURI */
  static parse(rawQuery: string): QueryParameters {
    if (rawQuery === '') return NO_PARAMETERS;
    const pairs: QueryParameter[] = [];
    for (const piece of rawQuery.split('&')) {
      if (piece === '') continue;
      const equals = piece.indexOf('=');
      const rawName = equals < 0 ? piece : piece.slice(0, equals);
      const rawValue = equals < 0 ? '' : piece.slice(equals + 1);
      pairs.push({ rawName, rawValue, name: queryDecode(rawName), value: queryDecode(rawValue) });
    }
    return new QueryParameters(pairs);
  }

  /** First value of the parameter; '' for one without a value, undefined for none. */
  get(name: string): string | undefined {
    for (const pair of this.pairs) if (pair.name === name) return pair.value;
    return undefined;
  }

  getAll(name: string): readonly string[] {
    return this.pairs.filter((pair) => pair.name === name).map((pair) => pair.value);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
}

const NO_PARAMETERS = new QueryParameters([]);
