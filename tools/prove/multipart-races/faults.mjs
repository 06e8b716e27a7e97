// Faults that are put into the store so that the proof must find them.

/** Takes a line out of a function of the database, or puts another in its place. */
async function rewrite(database, name, line, replacement) {
  const { rows } = await database.query(`SELECT pg_get_functiondef('metadata.${name}'::regproc) AS text`);
  const changed = rows[0].text.replace(line, replacement);
  if (changed === rows[0].text) throw new Error(`metadata.${name} has no line to plant a fault in`);
  await database.query(changed);
}

const uploadLock = /PERFORM pg_advisory_xact_lock(?:_shared)?\(metadata\.upload_lock\(p_bucket, p_upload\)\);/;
/** Complete rests between judging its parts and taking them: what its lock is for. */
const slowComplete = (database) =>
  rewrite(
    database,
    'complete_upload',
    'v_sequence := metadata.next_number();',
    (line) => `${line} PERFORM pg_sleep(0.01);`,
  );

export const faults = {
  'unlocked-abort': async (database) => {
    await rewrite(database, 'abort_upload', uploadLock, '');
    await slowComplete(database);
  },
  'unlocked-part': async (database) => {
    await rewrite(database, 'commit_part', uploadLock, '');
    await slowComplete(database);
  },
  'forgotten-parts': (database) => rewrite(database, 'abort_upload', /PERFORM metadata\.release_parts\([^;]*;/, ''),
  'wrong-free': (database) =>
    rewrite(
      database,
      'complete_upload',
      'IF is_null THEN PERFORM metadata.remove_null_version',
      (
        line,
      ) => `INSERT INTO metadata.outbox (bucket_id, kind, write_id, chunks, request_id, created_at_ms, claimed_until_ms)
        SELECT p_bucket, 'free', p.write_id, p.chunks, p_request, metadata.now_ms(), metadata.now_ms()
        FROM metadata.part p WHERE p.bucket_id = p_bucket AND p.owner_id = p_upload AND length(p.chunks) > 1; ${line}`,
    ),
};
