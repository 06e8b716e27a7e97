import type { MigrationInterface, QueryRunner } from 'typeorm';
import { BUCKET_FUNCTIONS_SQL } from '../schema/bucket-functions.js';
import { COMMIT_FUNCTIONS_SQL } from '../schema/commit-functions.js';
import { DELETE_FUNCTIONS_SQL } from '../schema/delete-functions.js';
import { LIST_FUNCTIONS_SQL } from '../schema/list-functions.js';
import { LOCK_FUNCTIONS_SQL } from '../schema/lock-functions.js';
import { TABLES_SQL } from '../schema/tables.js';
import { UPLOAD_FUNCTIONS_SQL } from '../schema/upload-functions.js';

/**
 * Tables, and the functions that judge and write. What is locked, by which number, stands in schema/lock-functions: an
 * operator's session may take a key's lock with `SELECT metadata.lock_key(bucket_id, key)` inside a transaction.
 */
export class InitialSchema1763690000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES_SQL);
    await runner.query(LOCK_FUNCTIONS_SQL);
    await runner.query(COMMIT_FUNCTIONS_SQL);
    await runner.query(DELETE_FUNCTIONS_SQL);
    await runner.query(LIST_FUNCTIONS_SQL);
    await runner.query(UPLOAD_FUNCTIONS_SQL);
    await runner.query(BUCKET_FUNCTIONS_SQL);
  }

  /** Takes the whole schema away, with the record of every object. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP SCHEMA metadata CASCADE');
  }
}
