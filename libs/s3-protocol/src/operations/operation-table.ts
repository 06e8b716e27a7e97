import { assert } from '@holdfast/stdx';
import { BUCKET_DOCUMENT_OPERATIONS } from './bucket-document-operations.js';
import { BUCKET_OPERATIONS } from './bucket-operations.js';
import { OBJECT_OPERATIONS } from './object-operations.js';
import type { S3Operation } from './operation-row.js';

const ROWS = [...BUCKET_OPERATIONS, ...BUCKET_DOCUMENT_OPERATIONS, ...OBJECT_OPERATIONS] as const;

type Row = (typeof ROWS)[number];
export type S3OperationName = Row['name'];
export type ServedOperationName = Extract<Row, { status: 'served' }>['name'];

/** A row of the table, found by its name alone. */
export type NamedOperation = S3Operation & { readonly name: S3OperationName };

/** Every operation of S3. Router, permissions, metric labels, audit names and the compatibility page come from it. */
export const S3_OPERATIONS: readonly NamedOperation[] = ROWS;

const BY_NAME: ReadonlyMap<string, NamedOperation> = new Map(S3_OPERATIONS.map((row) => [row.name, row]));
assert(BY_NAME.size === S3_OPERATIONS.length, 'operation names are unique');

export function operationNamed(name: S3OperationName): NamedOperation {
  const row = BY_NAME.get(name);
  assert(row !== undefined, 'every operation name has a row', { name });
  return row;
}
