/**
 * One batch of deletes, judged like commits (see commit-functions). `p_target` is NULL for "the current version" (unversioned:
 * the null version goes; enabled: a delete marker is laid on top; suspended: both, and the marker is the null version),
 * `null` or the hex id of one version, which is removed whatever the bucket's versioning says.
 */
export const DELETE_FUNCTIONS_SQL = String.raw`
CREATE FUNCTION metadata.delete_batch(
  p_bucket bigint[], p_revision bigint[], p_key text[], p_target text[], p_marker bytea[], p_if_match text[],
  p_if_modified_s bigint[], p_if_size bigint[], p_left_ms float8[], p_request text[], p_wait boolean, p_free_delay_ms bigint)
RETURNS TABLE (item int, outcome text, marked boolean, marker_is_null boolean, existed boolean, removed_marker boolean,
  owes boolean)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  v_started timestamptz := clock_timestamp();
  v_held boolean[] := metadata.take_locks(p_bucket, p_key, p_left_ms, p_wait);
  v_elapsed_ms float8 := extract(epoch FROM clock_timestamp() - v_started) * 1000;
  v_now_ms bigint := metadata.now_ms();
  v_generation bigint := (SELECT c.generation::bigint << 48 FROM metadata.cluster c);
BEGIN
  RETURN QUERY
  WITH judged AS MATERIALIZED (
    SELECT j.*, j.outcome = 'deleted' AND j.target IS NULL AND j.versioning <> 'unversioned' AS marks,
      CASE WHEN j.outcome = 'deleted' THEN v_generation | nextval('metadata.number_source') END AS sequence
    FROM (
      SELECT i.*, b.versioning, t.sequence AS target_sequence, t.found_marker,
        CASE
          WHEN NOT v_held[i.item] THEN 'busy'
          WHEN b.bucket_id IS NULL THEN 'no-bucket'
          WHEN b.revision <> i.revision THEN 'bucket-changed'
          WHEN i.left_ms <= v_elapsed_ms THEN 'late'
          WHEN i.if_match IS NOT NULL AND (t.sequence IS NULL OR NOT metadata.etag_listed(t.found_etag, i.if_match))
            THEN 'precondition-failed'
          WHEN i.if_modified_s IS NOT NULL AND t.found_modified_ms / 1000 IS DISTINCT FROM i.if_modified_s
            THEN 'precondition-failed'
          WHEN i.if_size IS NOT NULL AND t.found_size IS DISTINCT FROM i.if_size THEN 'precondition-failed'
          ELSE 'deleted'
        END AS outcome
      FROM unnest(p_bucket, p_revision, p_key, p_target, p_marker, p_if_match, p_if_modified_s, p_if_size, p_left_ms, p_request)
        WITH ORDINALITY
        AS i(bucket_id, revision, key, target, marker_id, if_match, if_modified_s, if_size, left_ms, request_id, item)
      LEFT JOIN metadata.bucket b ON b.bucket_id = i.bucket_id
      LEFT JOIN LATERAL (
        SELECT c.sequence, c.etag AS found_etag, c.last_modified_ms AS found_modified_ms, c.size_bytes AS found_size,
            false AS found_marker FROM metadata.object_current c
          WHERE i.target IS NULL AND c.bucket_id = i.bucket_id AND c.key = i.key
        UNION ALL
        SELECT v.sequence, v.etag, v.last_modified_ms, v.size_bytes, v.is_delete_marker FROM metadata.object_version v
          WHERE i.target = 'null' AND v.bucket_id = i.bucket_id AND v.key = i.key AND v.is_null
        UNION ALL
        SELECT v.sequence, v.etag, v.last_modified_ms, v.size_bytes, v.is_delete_marker FROM metadata.object_version v
          WHERE i.target <> 'null' AND v.bucket_id = i.bucket_id AND v.key = i.key
            AND v.version_id = decode(nullif(i.target, 'null'), 'hex') AND NOT v.is_null
        LIMIT 1) t ON true
      ORDER BY i.item) j
  ), removed_null AS (
    DELETE FROM metadata.object_version o USING judged j
      WHERE j.outcome = 'deleted' AND j.target IS NULL AND j.versioning <> 'enabled'
        AND o.bucket_id = j.bucket_id AND o.key = j.key AND o.is_null
      RETURNING o.bucket_id, o.key, o.sequence, o.version_id, o.write_id, o.chunks, o.size_bytes, o.is_delete_marker,
        o.part_sizes, j.request_id, j.item, j.target
  ), removed_one AS (
    DELETE FROM metadata.object_version o USING judged j
      WHERE j.outcome = 'deleted' AND j.target IS NOT NULL
        AND o.bucket_id = j.bucket_id AND o.key = j.key AND o.sequence = j.target_sequence
      RETURNING o.bucket_id, o.key, o.sequence, o.version_id, o.write_id, o.chunks, o.size_bytes, o.is_delete_marker,
        o.part_sizes, j.request_id, j.item, j.target
  ), removed AS MATERIALIZED (
    SELECT * FROM removed_null UNION ALL SELECT * FROM removed_one
  ), removed_parts AS (
    DELETE FROM metadata.part p USING removed r
      WHERE r.part_sizes IS NOT NULL AND p.bucket_id = r.bucket_id AND p.owner_id = r.version_id
      RETURNING p.bucket_id, p.write_id, p.chunks, r.request_id
  ), marked AS (
    INSERT INTO metadata.object_version (bucket_id, key, sequence, version_id, is_null, is_delete_marker, revision, size_bytes,
        etag, last_modified_ms, attributes, replication)
      SELECT j.bucket_id, j.key, j.sequence, j.marker_id, j.versioning = 'suspended', true, j.sequence, 0, '', v_now_ms,
        '{"headers":{},"userMetadata":{},"storageClass":"STANDARD","checksums":{}}'::json, 'none'
      FROM judged j WHERE j.marks
  ), uncovered AS (
    -- Removing the newest version by its id makes the one below it current, unless that is a delete marker.
    SELECT r.bucket_id, r.key, n.* FROM removed r LEFT JOIN LATERAL (
      SELECT v.sequence, v.size_bytes, v.etag, v.last_modified_ms, v.attributes, v.is_delete_marker
      FROM metadata.object_version v WHERE v.bucket_id = r.bucket_id AND v.key = r.key AND v.sequence <> r.sequence
      ORDER BY v.sequence DESC LIMIT 1) n ON true
    WHERE r.target IS NOT NULL AND (n.sequence IS NULL OR n.sequence < r.sequence)
  ), unpointed AS (
    DELETE FROM metadata.object_current c USING (
      SELECT j.bucket_id, j.key FROM judged j WHERE j.outcome = 'deleted' AND j.target IS NULL
      UNION ALL
      SELECT u.bucket_id, u.key FROM uncovered u WHERE u.sequence IS NULL OR u.is_delete_marker) g
    WHERE c.bucket_id = g.bucket_id AND c.key = g.key
  ), pointed AS (
    INSERT INTO metadata.object_current AS c (bucket_id, key, sequence, size_bytes, etag, last_modified_ms, storage_class,
        checksum_algorithms)
      SELECT u.bucket_id, u.key, u.sequence, u.size_bytes, u.etag, u.last_modified_ms, u.attributes ->> 'storageClass',
        coalesce((SELECT string_agg(k, ',') FROM json_object_keys(u.attributes -> 'checksums') k), '')
      FROM uncovered u WHERE NOT u.is_delete_marker
      ON CONFLICT (bucket_id, key) DO UPDATE SET sequence = excluded.sequence, size_bytes = excluded.size_bytes,
        etag = excluded.etag, last_modified_ms = excluded.last_modified_ms, storage_class = excluded.storage_class,
        checksum_algorithms = excluded.checksum_algorithms
  ), owed AS (
    INSERT INTO metadata.outbox (bucket_id, kind, write_id, chunks, request_id, created_at_ms, claimed_until_ms)
      SELECT r.bucket_id, 'free', r.write_id, r.chunks, r.request_id, v_now_ms, v_now_ms + p_free_delay_ms
        FROM removed r WHERE length(r.chunks) > 1
      UNION ALL
      SELECT r.bucket_id, 'free', r.write_id, r.chunks, r.request_id, v_now_ms, v_now_ms + p_free_delay_ms
        FROM removed_parts r WHERE length(r.chunks) > 1
  ), counted AS (
    INSERT INTO metadata.usage_delta (bucket_id, objects, bytes)
      SELECT r.bucket_id, -count(*), -sum(r.size_bytes) FROM removed r WHERE NOT r.is_delete_marker GROUP BY r.bucket_id
  )
  SELECT j.item::int, j.outcome, j.marks, j.marks AND j.versioning = 'suspended', j.target_sequence IS NOT NULL,
    j.outcome = 'deleted' AND j.target IS NOT NULL AND coalesce(j.found_marker, false),
    EXISTS (SELECT FROM removed r WHERE r.item = j.item)
  FROM judged j;
END $$;
`;
