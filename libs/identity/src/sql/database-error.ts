import { HoldfastError } from '@holdfast/contracts';
import pg from 'pg';

const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';
/** Classes of SQLSTATE that name a mistake of ours: bad data, a statement that does not fit the schema. */
const OUR_MISTAKE = /^(22|23|42)/;

export const isUniqueViolation = (error: unknown): boolean => sqlStateOf(error) === UNIQUE_VIOLATION;
export const isForeignKeyViolation = (error: unknown): boolean => sqlStateOf(error) === FOREIGN_KEY_VIOLATION;

/**
 * What a failed statement means to a caller. Everything that is not surely a mistake of ours is "no answer": never
 * "no such key", and never an allow.
 */
export function databaseError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined && OUR_MISTAKE.test(sqlState)) {
    return new HoldfastError(
      'InternalError',
      `The identity database refused a statement (${sqlState}).`,
      {},
      { cause: error },
    );
  }
  return new HoldfastError('ServiceUnavailable', 'The identity database does not answer.', {}, { cause: error });
}

function sqlStateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}
