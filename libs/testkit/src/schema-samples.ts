/*
 * Values at the borders of a JSON Schema: what it allows and what it refuses, made from its keywords alone. Whoever holds
 * requests against something else than the schema that is documented is found by them.
 */
type Schema = Readonly<Record<string, unknown>>;

export interface SchemaSamples {
  readonly valid: readonly unknown[];
  readonly invalid: readonly unknown[];
}

/** Says nothing about values, or is read where the keyword beside it is. */
const KEYWORDS = new Set([
  ...['$ref', 'anyOf', 'enum', 'const', 'type', 'description', 'default'],
  ...['properties', 'required', 'additionalProperties', 'propertyNames', 'maxProperties', 'items', 'maxItems'],
  ...['minLength', 'maxLength', 'pattern', 'minimum', 'maximum'],
]);
/** A letter, a digit, and a character that is two units of UTF-16. */
const CHARACTERS = ['a', '1', '🎈'];
/** What patterns may ask for that is no repetition of one character, and what they may refuse. */
const TEXTS = [
  ...['.', '..', '...', '..a', '.a.', '/', '/a/', 'a b', 'a/b', 'a:b', 'a\n', 'é', '\u0000', ' ', 'A'],
  ...['123456789012', '0123456789ABCDEF'],
];
const FAR_TOO_LONG = 10_000;
/** Names that a plain object has or treats in its own way. */
const STRANGE_NAMES = ['__proto__', 'constructor', 'toString'];

/** `resolve` finds what a `$ref` names. Throws for a keyword that no sample is known for. */
export function samplesOf(schema: Schema, resolve: (reference: string) => Schema): SchemaSamples {
  const unknown = Object.keys(schema).find((keyword) => !KEYWORDS.has(keyword));
  if (unknown !== undefined) throw new Error(`no samples are known for the keyword ${unknown}`);
  const below = (inner: unknown): SchemaSamples => samplesOf(inner as Schema, resolve);
  if (schema.$ref !== undefined) return below(resolve(schema.$ref as string));
  if (schema.anyOf !== undefined) return union((schema.anyOf as Schema[]).map(below));
  const values = schema.const === undefined ? schema.enum : [schema.const];
  if (values !== undefined) return { valid: values as unknown[], invalid: ['', 'no-such-value', 7, null] };
  switch (schema.type) {
    case 'string':
      return texts(schema);
    case 'integer':
      return integers(schema);
    case 'boolean':
      return { valid: [true, false], invalid: ['true', 0, null, []] };
    case 'array':
      return arrays(schema, below);
    case 'object':
      return schema.properties === undefined ? records(schema, below) : objects(schema, below);
    case undefined:
      return { valid: ['a', 7, null, true, [], {}], invalid: [] };
    default:
      throw new Error(`no samples are known for the type ${String(schema.type)}`);
  }
}

function union(members: readonly SchemaSamples[]): SchemaSamples {
  return { valid: members.flatMap(({ valid }) => valid), invalid: members.flatMap(({ invalid }) => invalid) };
}

function texts({ minLength = 0, maxLength, pattern = '' }: Schema): SchemaSamples {
  const [min, max] = [minLength as number, maxLength as number | undefined];
  const expression = new RegExp(pattern as string, 'u');
  const fits = (text: string): boolean => {
    const { length } = [...text];
    return length >= min && length <= (max ?? Infinity) && expression.test(text);
  };
  const lengths = [0, 1, min - 1, min, ...(max === undefined ? [] : [max, max + 1, FAR_TOO_LONG])];
  const repeated = lengths.flatMap((length) => CHARACTERS.map((character) => character.repeat(Math.max(length, 0))));
  const all = [...new Set([...repeated, ...TEXTS])];
  const valid = all.filter(fits);
  if (valid.length === 0) throw new Error(`no sample is known for the pattern ${String(pattern)}`);
  return { valid, invalid: [...all.filter((text) => !fits(text)), 7, true, null, ['a'], {}] };
}

function integers({ minimum, maximum }: Schema): SchemaSamples {
  const [min, max] = [minimum as number, maximum as number];
  return { valid: [min, max], invalid: [min - 1, max + 1, min + 0.5, `${min}`, true, null, [min]] };
}

function arrays({ items, maxItems }: Schema, below: (inner: unknown) => SchemaSamples): SchemaSamples {
  const { valid, invalid } = below(items);
  const many = (length: number): unknown[] => Array.from({ length }, () => valid[0]);
  const tooMany = maxItems === undefined ? [] : [many((maxItems as number) + 1)];
  return {
    valid: [[], many((maxItems as number | undefined) ?? 2), ...valid.map((value) => [value])],
    invalid: ['a', 7, null, {}, ...tooMany, ...invalid.map((value) => [valid[0], value])],
  };
}

const OTHER_THAN_OBJECTS = ['a', 7, null, true, []];

/** Of names that the client chooses. Nothing is called `__proto__`: readers disagree about it. */
function records(schema: Schema, below: (inner: unknown) => SchemaSamples): SchemaSamples {
  const names = below(schema.propertyNames ?? { type: 'string' });
  const values = below(schema.additionalProperties ?? {});
  const value = values.valid[0];
  const named = (name: unknown, given: unknown): object => Object.fromEntries([[name, given]]);
  const many = (length: number): object =>
    Object.fromEntries(Array.from({ length }, (_, index) => [`name-${index}`, value]));
  const max = schema.maxProperties as number | undefined;
  const texts = (given: readonly unknown[]): unknown[] => given.filter((one) => typeof one === 'string');
  return {
    valid: [
      ...[{}, many(max ?? 2)],
      ...texts(names.valid).map((name) => named(name, value)),
      ...values.valid.map((one) => named('name', one)),
      ...STRANGE_NAMES.filter((name) => name !== '__proto__').map((name) => named(name, value)),
    ],
    invalid: [
      ...OTHER_THAN_OBJECTS,
      ...(max === undefined ? [] : [many(max + 1)]),
      ...texts(names.invalid).map((name) => named(name, value)),
      ...values.invalid.map((one) => named('name', one)),
      ...[named('__proto__', value), ...values.invalid.map((one) => named('__proto__', one))],
    ],
  };
}

/** Of the names that the schema knows, and no other. */
function objects(schema: Schema, below: (inner: unknown) => SchemaSamples): SchemaSamples {
  if (schema.additionalProperties !== false) throw new Error('an object with other names than its own is not sampled');
  const members = Object.entries(schema.properties as Record<string, Schema>).map(
    ([name, member]) => [name, below(member)] as const,
  );
  const required = (schema.required as string[] | undefined) ?? [];
  const all = Object.fromEntries(members.map(([name, { valid }]) => [name, valid[0]]));
  const least = Object.fromEntries(required.map((name) => [name, all[name]]));
  const without = (name: string): object => Object.fromEntries(Object.entries(all).filter(([one]) => one !== name));
  const withOne = (name: string, value: unknown): object => ({ ...least, ...Object.fromEntries([[name, value]]) });
  return {
    valid: [least, all, ...members.flatMap(([name, { valid }]) => valid.map((value) => withOne(name, value)))],
    invalid: [
      ...OTHER_THAN_OBJECTS,
      ...required.map(without),
      ...members.flatMap(([name, { invalid }]) => invalid.map((value) => withOne(name, value))),
      ...[...STRANGE_NAMES, 'unknown', ''].map((name) => withOne(name, 'a')),
    ],
  };
}
