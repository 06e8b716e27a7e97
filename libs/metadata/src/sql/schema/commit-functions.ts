/**
 * One batch of commits. READ COMMITTED and volatile: each statement of the function sees what was committed before it, so
 * the rows are read after the locks were taken, which no single statement can do. A batch only tries locks; `p_wait` is for
 * one item in the slow lane. Items of a batch have distinct keys.
 *
 * Outcomes beside those of the port: `busy` (a lock was not free: not judged), `stale-epoch` (the map moved on since the
 * units were written: the caller judges the margin and asks again with the map's epoch).
 */
export const COMMIT_FUNCTIONS_SQL = String.raw`
CREATE FUNCTION metadata.take_locks(p_bucket bigint[], p_key text[], p_left_ms float8[], p_wait boolean) RETURNS boolean[]
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF p_wait THEN
    PERFORM set_config('lock_timeout', greatest(1, ceil(p_left_ms[1]))::bigint::text, true);
    PERFORM pg_advisory_xact_lock_shared(0);
    PERFORM pg_advisory_xact_lock_shared(metadata.bucket_lock(p_bucket[1]));
    PERFORM pg_advisory_xact_lock(metadata.key_lock(p_bucket[1], p_key[1]));
    RETURN ARRAY[true];
  ELSIF NOT pg_try_advisory_xact_lock_shared(0) THEN
    RETURN array_fill(false, ARRAY[cardinality(p_bucket)]);
  END IF;
  RETURN (
    SELECT array_agg(
      pg_try_advisory_xact_lock_shared(metadata.bucket_lock(i.bucket_id))
        AND pg_try_advisory_xact_lock(metadata.key_lock(i.bucket_id, i.key)) ORDER BY i.item)
    FROM unnest(p_bucket, p_key) WITH ORDINALITY AS i(bucket_id, key, item));
END $$;

CREATE FUNCTION metadata.etag_listed(p_etag text, p_list text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT p_list = '*' OR p_etag = ANY (string_to_array(p_list, E'\n'))
$$;

CREATE FUNCTION metadata.commit_batch(
  p_bucket bigint[], p_revision bigint[], p_key text[], p_version bytea[], p_etag text[], p_size bigint[],
  p_attributes text[], p_tags text[], p_storage_class text[], p_checksums text[], p_write bytea[], p_chunks bytea[], p_epoch bigint[],
  p_degraded boolean[], p_if_match text[], p_if_none_match text[], p_left_ms float8[], p_request text[],
  p_wait boolean, p_free_delay_ms bigint)
RETURNS TABLE (item int, outcome text, sequence bigint, last_modified_ms bigint, is_null boolean, owes boolean)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  v_started timestamptz := clock_timestamp();
  v_held boolean[] := metadata.take_locks(p_bucket, p_key, p_left_ms, p_wait);
  v_elapsed_ms float8 := extract(epoch FROM clock_timestamp() - v_started) * 1000;
  v_now_ms bigint := metadata.now_ms();
  v_epoch bigint;
  v_accepting_sets int;
  v_generation bigint;
BEGIN
  SELECT m.epoch, m.accepting_sets, c.generation::bigint << 48 INTO STRICT v_epoch, v_accepting_sets, v_generation
    FROM metadata.cluster_map m, metadata.cluster c ORDER BY m.epoch DESC LIMIT 1;
  RETURN QUERY
  WITH judged AS MATERIALIZED (
    SELECT j.*, CASE WHEN j.outcome = 'committed' THEN v_generation | nextval('metadata.number_source') END AS sequence
    FROM (
      SELECT i.*, b.versioning <> 'enabled' AS is_null,
        b.profile_secondary AND v_accepting_sets >= 2 AND length(i.chunks) > 1
          AND i.storage_class <> 'REDUCED_REDUNDANCY' AS replicates,
        CASE
          WHEN NOT v_held[i.item] THEN 'busy'
          WHEN b.bucket_id IS NULL THEN 'no-bucket'
          WHEN b.revision <> i.revision THEN 'bucket-changed'
          WHEN i.left_ms <= v_elapsed_ms THEN 'late'
          WHEN i.if_match IS NOT NULL AND c.etag IS NULL THEN 'no-such-key'
          WHEN i.if_match IS NOT NULL AND NOT metadata.etag_listed(c.etag, i.if_match) THEN 'precondition-failed'
          WHEN i.if_none_match IS NOT NULL AND c.etag IS NOT NULL AND metadata.etag_listed(c.etag, i.if_none_match)
            THEN 'precondition-failed'
          WHEN i.epoch <> v_epoch THEN 'stale-epoch'
          ELSE 'committed'
        END AS outcome
      FROM unnest(p_bucket, p_revision, p_key, p_version, p_etag, p_size, p_attributes, p_tags, p_storage_class, p_checksums,
          p_write, p_chunks, p_epoch, p_degraded, p_if_match, p_if_none_match, p_left_ms, p_request) WITH ORDINALITY
        AS i(bucket_id, revision, key, version_id, etag, size_bytes, attributes, tags, storage_class, checksums,
          write_id, chunks, epoch, degraded, if_match, if_none_match, left_ms, request_id, item)
      LEFT JOIN metadata.bucket b ON b.bucket_id = i.bucket_id
      LEFT JOIN metadata.object_current c ON c.bucket_id = i.bucket_id AND c.key = i.key
      ORDER BY i.item) j
  ), accepted AS MATERIALIZED (
    SELECT * FROM judged j WHERE j.outcome = 'committed'
  ), removed AS (
    DELETE FROM metadata.object_version o USING accepted a
      WHERE a.is_null AND o.bucket_id = a.bucket_id AND o.key = a.key AND o.is_null
      RETURNING o.bucket_id, o.version_id, o.write_id, o.chunks, o.size_bytes, o.is_delete_marker, o.part_sizes, a.request_id
  ), removed_parts AS (
    DELETE FROM metadata.part p USING removed r
      WHERE r.part_sizes IS NOT NULL AND p.bucket_id = r.bucket_id AND p.owner_id = r.version_id
      RETURNING p.bucket_id, p.write_id, p.chunks, r.request_id
  ), inserted AS (
    INSERT INTO metadata.object_version (bucket_id, key, sequence, version_id, is_null, is_delete_marker, revision, size_bytes,
        etag, last_modified_ms, attributes, tags, write_id, chunks, replication)
      SELECT a.bucket_id, a.key, a.sequence, a.version_id, a.is_null, false, a.sequence, a.size_bytes, a.etag, v_now_ms,
        a.attributes::json, a.tags::json, a.write_id, a.chunks, CASE WHEN a.replicates THEN 'pending' ELSE 'none' END
      FROM accepted a
  ), pointed AS (
    INSERT INTO metadata.object_current AS c (bucket_id, key, sequence, size_bytes, etag, last_modified_ms, storage_class,
        checksum_algorithms)
      SELECT a.bucket_id, a.key, a.sequence, a.size_bytes, a.etag, v_now_ms, a.storage_class, a.checksums FROM accepted a
      ON CONFLICT (bucket_id, key) DO UPDATE SET sequence = excluded.sequence, size_bytes = excluded.size_bytes,
        etag = excluded.etag, last_modified_ms = excluded.last_modified_ms, storage_class = excluded.storage_class,
        checksum_algorithms = excluded.checksum_algorithms
  ), owed AS (
    INSERT INTO metadata.outbox (bucket_id, kind, write_id, chunks, request_id, created_at_ms, claimed_until_ms)
      SELECT a.bucket_id, 'replicate', a.write_id, NULL::bytea, a.request_id, v_now_ms, 0 FROM accepted a WHERE a.replicates
      UNION ALL
      SELECT a.bucket_id, 'repair', a.write_id, NULL::bytea, a.request_id, v_now_ms, 0 FROM accepted a WHERE a.degraded
      UNION ALL
      SELECT r.bucket_id, 'free', r.write_id, r.chunks, r.request_id, v_now_ms, v_now_ms + p_free_delay_ms
        FROM removed r WHERE length(r.chunks) > 1
      UNION ALL
      SELECT r.bucket_id, 'free', r.write_id, r.chunks, r.request_id, v_now_ms, v_now_ms + p_free_delay_ms
        FROM removed_parts r WHERE length(r.chunks) > 1
  ), counted AS (
    INSERT INTO metadata.usage_delta (bucket_id, objects, bytes)
      SELECT d.bucket_id, sum(d.objects), sum(d.bytes) FROM (
        SELECT a.bucket_id, 1 AS objects, a.size_bytes AS bytes FROM accepted a
        UNION ALL
        SELECT r.bucket_id, -1, -r.size_bytes FROM removed r WHERE NOT r.is_delete_marker) d
      GROUP BY d.bucket_id
  )
  SELECT j.item::int, j.outcome, j.sequence, v_now_ms, j.is_null, j.outcome = 'committed' AND j.replicates FROM judged j;
END $$;

-- p_target: NULL the current version, else 'null' or the hex id of one. NULL tags take them away.
CREATE FUNCTION metadata.set_object_tags(p_bucket bigint, p_revision bigint, p_key text, p_target text, p_tags text,
  p_left_ms float8, OUT outcome text, OUT version_id bytea, OUT is_null boolean, OUT last_modified_ms bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_started timestamptz := clock_timestamp();
  v_revision bigint;
  v_found record;
BEGIN
  PERFORM metadata.take_locks(ARRAY[p_bucket], ARRAY[p_key], ARRAY[p_left_ms], true);
  SELECT b.revision INTO v_revision FROM metadata.bucket b WHERE b.bucket_id = p_bucket;
  IF v_revision IS NULL THEN outcome := 'no-bucket'; RETURN; END IF;
  IF v_revision <> p_revision THEN outcome := 'bucket-changed'; RETURN; END IF;
  IF extract(epoch FROM clock_timestamp() - v_started) * 1000 >= p_left_ms THEN outcome := 'late'; RETURN; END IF;
  SELECT * INTO v_found FROM (
    (SELECT v.sequence, v.version_id, v.is_null, v.is_delete_marker, v.last_modified_ms FROM metadata.object_version v
      WHERE p_target IS NULL AND v.bucket_id = p_bucket AND v.key = p_key ORDER BY v.sequence DESC LIMIT 1)
    UNION ALL
    SELECT v.sequence, v.version_id, v.is_null, v.is_delete_marker, v.last_modified_ms FROM metadata.object_version v
      WHERE p_target = 'null' AND v.bucket_id = p_bucket AND v.key = p_key AND v.is_null
    UNION ALL
    SELECT v.sequence, v.version_id, v.is_null, v.is_delete_marker, v.last_modified_ms FROM metadata.object_version v
      WHERE p_target <> 'null' AND v.bucket_id = p_bucket AND v.key = p_key
        AND v.version_id = decode(nullif(p_target, 'null'), 'hex') AND NOT v.is_null) t;
  IF NOT FOUND THEN
    outcome := CASE WHEN p_target IS NULL THEN 'no-such-key' ELSE 'no-such-version' END;
    RETURN;
  END IF;
  version_id := v_found.version_id;
  is_null := v_found.is_null;
  last_modified_ms := v_found.last_modified_ms;
  IF v_found.is_delete_marker THEN outcome := 'delete-marker'; RETURN; END IF;
  UPDATE metadata.object_version v SET tags = p_tags::json, revision = metadata.next_number()
    WHERE v.bucket_id = p_bucket AND v.key = p_key AND v.sequence = v_found.sequence;
  outcome := 'set';
END $$;
`;
