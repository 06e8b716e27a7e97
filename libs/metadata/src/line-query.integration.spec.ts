import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MetadataDatabase } from './sql/database.js';
import { MetadataFixture } from './testing/metadata-fixture.js';

let fixture: MetadataFixture;
let database: MetadataDatabase;

beforeAll(async () => {
  fixture = await MetadataFixture.start();
  database = new MetadataDatabase(fixture.postgres.url, 5000);
});

afterAll(async () => {
  await database.close();
  await fixture.stop();
});

describe('a statement on a line', () => {
  it('reads its rows the same the first time, when the server describes them, and ever after', async () => {
    const statement = {
      name: 'kinds',
      text: "SELECT n, n::int, NULL::int, 'é'::text, '\\x00ff'::bytea, '{\"a\":1}'::json, n > 1 FROM unnest($1::bigint[]) n",
      values: ['{1,2}'],
    };
    const row = (n: number): unknown[] => [String(n), n, null, 'é', Buffer.from([0, 255]), { a: 1 }, n > 1];
    for (let call = 0; call < 3; call++)
      expect(await database.onLine('lookups-1', statement)).toEqual([row(1), row(2)]);
    expect(await database.onLine('lookups-1', { ...statement, values: ['{}'] })).toEqual([]);
    expect(await database.onLine('lookups-2', statement)).toEqual([row(1), row(2)]);
  });

  it('serves after a call that failed, also when that was its first', async () => {
    const divide = (by: number) =>
      database.onLine('commits', { name: 'divide', text: 'SELECT 12 / $1::int', values: [by] });
    await expect(divide(0)).rejects.toMatchObject({ code: '22012' });
    expect(await divide(3)).toEqual([[4]]);
    await expect(divide(0)).rejects.toMatchObject({ code: '22012' });
    expect(await divide(4)).toEqual([[3]]);
  });

  it('fails when its connection is lost, and the next one prepares it again', async () => {
    const self = { name: 'self', text: 'SELECT pg_backend_pid()' };
    const sleep = { name: 'sleep', text: "SELECT pg_sleep(20)::text || 'x'" };
    const [[pid]] = await database.onLine('deletes', self);
    const asleep = expect(database.onLine('deletes', sleep)).rejects.toThrow();
    await fixture.query('SELECT pg_terminate_backend($1)', [pid]);
    await asleep;
    const [[other]] = await database.onLine('deletes', self);
    expect(other).not.toBe(pid);
  });
});
