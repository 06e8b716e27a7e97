import { hasAtMost } from '@holdfast/stdx';
import { HoldfastError } from './errors.js';

/**
 * Schemas of the control plane: each one checks, encodes to JSON and decodes from JSON. Bytes travel as base64url,
 * 64-bit numbers as decimal strings (JSON numbers stop at 2^53). Unknown fields are refused on both sides.
 */
export interface Schema<T> {
  encode(value: T, path: string): unknown;
  decode(json: unknown, path: string): T;
  readonly optional?: true;
}

export type Infer<S> = S extends Schema<infer T> ? T : never;

function refuse(path: string, expected: string): never {
  throw new HoldfastError('SchemaViolation', `${path}: expected ${expected}`);
}

function plain<T>(expected: string, accepts: (value: unknown) => value is T): Schema<T> {
  const check = (value: unknown, path: string): T => (accepts(value) ? value : refuse(path, expected));
  return { encode: check, decode: check };
}

/** Of characters, not of units of UTF-16: what a client counts, and what the REST documents. */
const string = (maxLength = 1 << 20): Schema<string> =>
  plain(`a string of at most ${maxLength}`, (v): v is string => typeof v === 'string' && hasAtMost(maxLength, v));

const integer = (min = 0, max = Number.MAX_SAFE_INTEGER): Schema<number> =>
  plain(
    `an integer from ${min} to ${max}`,
    (v): v is number => Number.isSafeInteger(v) && (v as number) >= min && (v as number) <= max,
  );

const boolean: Schema<boolean> = plain('true or false', (v): v is boolean => typeof v === 'boolean');

const hex = (bytes: number): Schema<string> => {
  const pattern = new RegExp(`^[0-9a-f]{${bytes * 2}}$`);
  return plain(`${bytes} bytes as hex`, (v): v is string => typeof v === 'string' && pattern.test(v));
};

const oneOf = <const T extends string>(...values: T[]): Schema<T> =>
  plain(values.join(' | '), (v): v is T => values.includes(v as T));

const bigint: Schema<bigint> = {
  encode: (value, path) => (typeof value === 'bigint' ? value.toString() : refuse(path, 'a bigint')),
  decode: (json, path) =>
    typeof json === 'string' && /^-?\d{1,20}$/.test(json) ? BigInt(json) : refuse(path, 'a decimal string'),
};

const bytes: Schema<Buffer> = {
  encode: (value, path) => (Buffer.isBuffer(value) ? value.toString('base64url') : refuse(path, 'a Buffer')),
  decode: (json, path) =>
    typeof json === 'string' && /^[\w-]*$/.test(json) ? Buffer.from(json, 'base64url') : refuse(path, 'base64url'),
};

const nothing: Schema<void> = { encode: () => null, decode: () => undefined };

function array<T>(item: Schema<T>, maxItems = 1 << 20): Schema<T[]> {
  const each = <A, B>(value: unknown, path: string, one: (v: A, p: string) => B): B[] => {
    if (!Array.isArray(value) || value.length > maxItems) refuse(path, `an array of at most ${maxItems}`);
    return value.map((v: A, i) => one(v, `${path}[${i}]`));
  };
  return {
    encode: (value, path) => each(value, path, item.encode),
    decode: (json, path) => each(json, path, item.decode),
  };
}

function optional<T>(inner: Schema<T>): Schema<T | undefined> & { optional: true } {
  return {
    optional: true,
    encode: (value, path) => (value === undefined ? undefined : inner.encode(value, path)),
    decode: (json, path) => (json === undefined ? undefined : inner.decode(json, path)),
  };
}

function record<T>(value: Schema<T>, maxEntries = 1000): Schema<Record<string, T>> {
  const each = <A, B>(given: unknown, path: string, one: (v: A, p: string) => B): Record<string, B> => {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) refuse(path, 'an object');
    const entries = Object.entries(given as Record<string, A>);
    if (entries.length > maxEntries) refuse(path, `at most ${maxEntries} entries`);
    // A null prototype keeps a key such as __proto__ an ordinary key.
    const result = Object.create(null) as Record<string, B>;
    for (const [key, v] of entries) result[key] = one(v, `${path}.${key}`);
    return result;
  };
  return { encode: (v, path) => each(v, path, value.encode), decode: (json, path) => each(json, path, value.decode) };
}

type Fields = Record<string, Schema<unknown>>;
type OptionalNames<F> = { [K in keyof F]: F[K] extends { optional: true } ? K : never }[keyof F];
type ObjectOf<F> = { [K in Exclude<keyof F, OptionalNames<F>>]: Infer<F[K]> } & {
  [K in OptionalNames<F>]?: Infer<F[K]>;
};
type Flat<T> = { [K in keyof T]: T[K] };

// eslint is not needed to see that `Schema<any>` would switch types off: fields are kept precise by the mapped types above.
function object<F extends { [name: string]: Schema<never> | Schema<unknown> }>(fields: F): Schema<Flat<ObjectOf<F>>> {
  const known = fields as unknown as Fields;
  const names = Object.keys(known);
  const each = (given: unknown, path: string, way: 'encode' | 'decode'): Flat<ObjectOf<F>> => {
    if (typeof given !== 'object' || given === null) refuse(path, 'an object');
    const source = given as Record<string, unknown>;
    const result: Record<string, unknown> = {};
    for (const name of names) {
      const field = known[name];
      const value = source[name];
      if (value === undefined && !field.optional) refuse(`${path}.${name}`, 'a value');
      if (value !== undefined) result[name] = field[way](value, `${path}.${name}`);
    }
    for (const name of Object.keys(source)) if (!(name in known)) refuse(`${path}.${name}`, 'no such field');
    return result as Flat<ObjectOf<F>>;
  };
  return { encode: (v, path) => each(v, path, 'encode'), decode: (json, path) => each(json, path, 'decode') };
}

/** A union told apart by the string field `tag`; each member is an object schema that has it. */
function union<const Tag extends string, M extends Record<string, Schema<never> | Schema<unknown>>>(
  tag: Tag,
  members: M,
): Schema<Infer<M[keyof M]>> {
  const pick = (given: unknown, path: string): Schema<unknown> => {
    const name = (given as Record<string, unknown> | null)?.[tag];
    const member = typeof name === 'string' && Object.hasOwn(members, name) ? members[name] : undefined;
    return (member as Schema<unknown> | undefined) ?? refuse(`${path}.${tag}`, Object.keys(members).join(' | '));
  };
  return {
    encode: (v, path) => pick(v, path).encode(v, path),
    decode: (json, path) => pick(json, path).decode(json, path) as Infer<M[keyof M]>,
  };
}

export const s = {
  string,
  integer,
  boolean,
  hex,
  oneOf,
  bigint,
  bytes,
  nothing,
  array,
  optional,
  record,
  object,
  union,
};
