/**
 * Multipart uploads. A part shares the upload's lock (and holds its own place), Complete and Abort take it alone; who comes
 * after them finds no upload. A part keeps its write id from UploadPart into the version.
 */
export const UPLOAD_FUNCTIONS_SQL = String.raw`
CREATE FUNCTION metadata.create_upload(p_bucket bigint, p_key text, p_upload bytea, p_attributes text, p_tags text,
  p_checksum text, p_account text, p_initiator text, p_left_ms float8) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM set_config('lock_timeout', greatest(1, ceil(p_left_ms))::bigint::text, true);
  PERFORM pg_advisory_xact_lock_shared(metadata.bucket_lock(p_bucket));
  IF NOT EXISTS (SELECT FROM metadata.bucket b WHERE b.bucket_id = p_bucket) THEN RETURN 'no-bucket'; END IF;
  INSERT INTO metadata.upload (bucket_id, key, upload_id, attributes, tags, checksum, account_id, initiator_arn,
      created_at_ms)
    VALUES (p_bucket, p_key, p_upload, p_attributes::json, p_tags::json, p_checksum::json, p_account, p_initiator,
      metadata.now_ms())
    ON CONFLICT DO NOTHING;
  RETURN 'created';
END $$;

CREATE FUNCTION metadata.commit_part(p_bucket bigint, p_key text, p_upload bytea, p_part_number int, p_write bytea, p_size bigint,
  p_etag text, p_checksums text, p_chunks bytea, p_epoch bigint, p_degraded boolean, p_left_ms float8, p_request text,
  p_free_delay_ms bigint, OUT outcome text, OUT last_modified_ms bigint, OUT owes boolean)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  v_started timestamptz := clock_timestamp();
BEGIN
  owes := false;
  PERFORM set_config('lock_timeout', greatest(1, ceil(p_left_ms))::bigint::text, true);
  PERFORM pg_advisory_xact_lock_shared(0);
  PERFORM pg_advisory_xact_lock_shared(metadata.bucket_lock(p_bucket));
  PERFORM pg_advisory_xact_lock_shared(metadata.upload_lock(p_bucket, p_upload));
  PERFORM pg_advisory_xact_lock(metadata.key_lock(p_bucket, encode(p_upload, 'hex') || '/' || p_part_number));
  last_modified_ms := metadata.now_ms();
  IF NOT EXISTS (
    SELECT FROM metadata.upload u WHERE u.bucket_id = p_bucket AND u.key = p_key AND u.upload_id = p_upload) THEN
    outcome := 'no-upload';
    RETURN;
  END IF;
  IF extract(epoch FROM clock_timestamp() - v_started) * 1000 >= p_left_ms THEN
    outcome := 'late';
    RETURN;
  END IF;
  IF p_epoch <> (SELECT max(m.epoch) FROM metadata.cluster_map m) THEN
    outcome := 'stale-epoch';
    RETURN;
  END IF;
  WITH replaced AS (
    DELETE FROM metadata.part p WHERE p.bucket_id = p_bucket AND p.owner_id = p_upload AND p.ordinal = p_part_number
      RETURNING p.write_id, p.chunks)
  INSERT INTO metadata.outbox (bucket_id, kind, write_id, chunks, request_id, created_at_ms, claimed_until_ms)
    SELECT p_bucket, 'free', r.write_id, r.chunks, p_request, last_modified_ms, last_modified_ms + p_free_delay_ms
      FROM replaced r WHERE length(r.chunks) > 1
    UNION ALL
    SELECT p_bucket, 'repair', p_write, NULL::bytea, p_request, last_modified_ms, 0 WHERE p_degraded;
  owes := FOUND;
  INSERT INTO metadata.part (bucket_id, owner_id, ordinal, key, part_number, write_id, size_bytes, etag, checksums,
      last_modified_ms, chunks, replication)
    VALUES (p_bucket, p_upload, p_part_number, p_key, p_part_number, p_write, p_size, p_etag, p_checksums::json,
      last_modified_ms, p_chunks, 'none');
  outcome := 'committed';
END $$;

-- Frees what the upload's remaining parts hold and forgets them. The caller holds the upload's or the bucket's lock alone.
CREATE FUNCTION metadata.release_parts(p_bucket bigint, p_upload bytea, p_request text, p_free_delay_ms bigint) RETURNS void
LANGUAGE sql VOLATILE AS $$
  WITH gone AS (
    DELETE FROM metadata.part p WHERE p.bucket_id = p_bucket AND p.owner_id = p_upload RETURNING p.write_id, p.chunks)
  INSERT INTO metadata.outbox (bucket_id, kind, write_id, chunks, request_id, created_at_ms, claimed_until_ms)
    SELECT p_bucket, 'free', g.write_id, g.chunks, p_request, metadata.now_ms(), metadata.now_ms() + p_free_delay_ms
    FROM gone g WHERE length(g.chunks) > 1
$$;

CREATE FUNCTION metadata.abort_upload(p_bucket bigint, p_key text, p_upload bytea, p_left_ms float8, p_request text,
  p_free_delay_ms bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM set_config('lock_timeout', greatest(1, ceil(p_left_ms))::bigint::text, true);
  PERFORM pg_advisory_xact_lock_shared(metadata.bucket_lock(p_bucket));
  PERFORM pg_advisory_xact_lock(metadata.upload_lock(p_bucket, p_upload));
  DELETE FROM metadata.upload u WHERE u.bucket_id = p_bucket AND u.key = p_key AND u.upload_id = p_upload;
  IF NOT FOUND THEN RETURN 'no-upload'; END IF;
  PERFORM metadata.release_parts(p_bucket, p_upload, p_request, p_free_delay_ms);
  RETURN 'aborted';
END $$;

-- The null version of a key and what it holds go. Answers whether there was one.
CREATE FUNCTION metadata.remove_null_version(p_bucket bigint, p_key text, p_request text, p_free_delay_ms bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_old metadata.object_version;
BEGIN
  DELETE FROM metadata.object_version o WHERE o.bucket_id = p_bucket AND o.key = p_key AND o.is_null RETURNING * INTO v_old;
  IF NOT FOUND THEN RETURN false; END IF;
  IF v_old.part_sizes IS NOT NULL THEN
    PERFORM metadata.release_parts(p_bucket, v_old.version_id, p_request, p_free_delay_ms);
  ELSIF length(v_old.chunks) > 1 THEN
    INSERT INTO metadata.outbox (bucket_id, kind, write_id, chunks, request_id, created_at_ms, claimed_until_ms)
      VALUES (p_bucket, 'free', v_old.write_id, v_old.chunks, p_request, metadata.now_ms(),
        metadata.now_ms() + p_free_delay_ms);
  END IF;
  IF NOT v_old.is_delete_marker THEN
    INSERT INTO metadata.usage_delta (bucket_id, objects, bytes) VALUES (p_bucket, -1, -v_old.size_bytes);
  END IF;
  RETURN true;
END $$;

CREATE FUNCTION metadata.complete_upload(p_bucket bigint, p_revision bigint, p_key text, p_upload bytea, p_version bytea,
  p_numbers int[], p_etags text[], p_part_checksums text[], p_checksums text, p_checksum_type text, p_size bigint,
  p_if_match text, p_if_none_match text, p_left_ms float8, p_request text, p_free_delay_ms bigint, p_part_bytes_min bigint,
  OUT outcome text, OUT etag text, OUT version_id bytea, OUT is_null boolean, OUT last_modified_ms bigint, OUT checksums json,
  OUT checksum_type text, OUT owes boolean)
LANGUAGE plpgsql VOLATILE
-- 10,000 named parts against 10,000 stored ones, where the planner expects ten against one: a nested loop would take minutes.
SET enable_nestloop = off SET enable_hashjoin = on AS $$
#variable_conflict use_column
DECLARE
  v_started timestamptz := clock_timestamp();
  v_bucket metadata.bucket;
  v_upload metadata.upload;
  v_used record;
  v_algorithm text;
  v_attributes json;
  v_current_etag text;
  v_sequence bigint;
  v_storage_class text;
  v_replicates boolean;
BEGIN
  owes := false;
  PERFORM set_config('lock_timeout', greatest(1, ceil(p_left_ms))::bigint::text, true);
  PERFORM pg_advisory_xact_lock_shared(0);
  PERFORM pg_advisory_xact_lock_shared(metadata.bucket_lock(p_bucket));
  PERFORM pg_advisory_xact_lock(metadata.upload_lock(p_bucket, p_upload));
  PERFORM pg_advisory_xact_lock(metadata.key_lock(p_bucket, p_key));
  SELECT * INTO v_bucket FROM metadata.bucket b WHERE b.bucket_id = p_bucket;
  IF NOT FOUND THEN outcome := 'no-bucket'; RETURN; END IF;
  SELECT 'completed', r.etag, r.version_id, r.is_null, r.last_modified_ms, r.checksums, r.checksum_type
    INTO outcome, etag, version_id, is_null, last_modified_ms, checksums, checksum_type
    FROM metadata.upload_result r
    WHERE r.bucket_id = p_bucket AND r.upload_id = p_upload AND r.key = p_key
      AND r.last_modified_ms > metadata.now_ms() - 86400000;
  IF FOUND THEN RETURN; END IF;
  SELECT * INTO v_upload FROM metadata.upload u WHERE u.bucket_id = p_bucket AND u.key = p_key AND u.upload_id = p_upload;
  IF NOT FOUND THEN outcome := 'no-upload'; RETURN; END IF;
  IF v_bucket.revision <> p_revision THEN outcome := 'bucket-changed'; RETURN; END IF;
  IF extract(epoch FROM clock_timestamp() - v_started) * 1000 >= p_left_ms THEN outcome := 'late'; RETURN; END IF;

  v_algorithm := v_upload.checksum ->> 'algorithm';
  SELECT count(*) AS parts, bool_or(o.number <= o.before) AS disordered,
      bool_or(p.etag IS DISTINCT FROM o.etag OR (v_algorithm IS NOT NULL
        AND (p.checksums ->> v_algorithm) IS DISTINCT FROM o.checksum)) AS missing,
      bool_or(p.size_bytes < p_part_bytes_min AND o.place < cardinality(p_numbers)) AS small,
      sum(p.size_bytes) AS size_bytes, array_agg(p.size_bytes ORDER BY o.place) AS sizes,
      bool_or(length(p.chunks) > 1) AS has_bytes,
      string_agg(decode(p.etag, 'hex'), ''::bytea ORDER BY o.place) AS digests
    INTO v_used
    FROM (SELECT u.number, u.etag, u.checksum, u.place, lag(u.number) OVER (ORDER BY u.place) AS before
      FROM unnest(p_numbers, p_etags, p_part_checksums) WITH ORDINALITY AS u(number, etag, checksum, place)) o
    LEFT JOIN metadata.part p ON p.bucket_id = p_bucket AND p.owner_id = p_upload AND p.ordinal = o.number;
  IF v_used.parts = 0 THEN outcome := 'invalid-part'; RETURN; END IF;
  IF v_used.disordered THEN outcome := 'invalid-part-order'; RETURN; END IF;
  IF v_used.missing THEN outcome := 'invalid-part'; RETURN; END IF;
  IF v_used.small THEN outcome := 'part-too-small'; RETURN; END IF;
  IF v_used.size_bytes <> p_size THEN outcome := 'size-mismatch'; RETURN; END IF;

  SELECT c.etag INTO v_current_etag FROM metadata.object_current c WHERE c.bucket_id = p_bucket AND c.key = p_key;
  IF p_if_match IS NOT NULL AND v_current_etag IS NULL THEN outcome := 'no-such-key'; RETURN; END IF;
  IF (p_if_match IS NOT NULL AND NOT metadata.etag_listed(v_current_etag, p_if_match))
    OR (p_if_none_match IS NOT NULL AND v_current_etag IS NOT NULL AND metadata.etag_listed(v_current_etag, p_if_none_match))
  THEN outcome := 'precondition-failed'; RETURN; END IF;

  v_sequence := metadata.next_number();
  v_storage_class := v_upload.attributes ->> 'storageClass';
  v_replicates := v_bucket.profile_secondary AND v_used.has_bytes AND v_storage_class <> 'REDUCED_REDUNDANCY'
    AND (SELECT m.accepting_sets >= 2 FROM metadata.cluster_map m ORDER BY m.epoch DESC LIMIT 1);
  outcome := 'completed';
  etag := md5(v_used.digests) || '-' || v_used.parts;
  version_id := p_version;
  is_null := v_bucket.versioning <> 'enabled';
  last_modified_ms := metadata.now_ms();
  owes := v_replicates;
  checksums := p_checksums::json;
  checksum_type := p_checksum_type;
  v_attributes := v_upload.attributes;
  IF p_checksum_type IS NOT NULL THEN
    v_attributes := v_attributes::jsonb || jsonb_build_object('checksums', checksums, 'checksumType', checksum_type);
  END IF;
  IF is_null THEN PERFORM metadata.remove_null_version(p_bucket, p_key, p_request, p_free_delay_ms); END IF;
  INSERT INTO metadata.object_version (bucket_id, key, sequence, version_id, is_null, is_delete_marker, revision, size_bytes,
      etag, last_modified_ms, attributes, tags, part_sizes, replication)
    VALUES (p_bucket, p_key, v_sequence, p_version, is_null, false, v_sequence, v_used.size_bytes, etag, last_modified_ms,
      v_attributes, v_upload.tags, v_used.sizes, CASE WHEN v_replicates THEN 'pending' ELSE 'none' END);
  INSERT INTO metadata.object_current AS c (bucket_id, key, sequence, size_bytes, etag, last_modified_ms, storage_class,
      checksum_algorithms)
    VALUES (p_bucket, p_key, v_sequence, v_used.size_bytes, etag, last_modified_ms, v_storage_class,
      coalesce((SELECT string_agg(k, ',') FROM json_object_keys(checksums) k), ''))
    ON CONFLICT (bucket_id, key) DO UPDATE SET sequence = excluded.sequence, size_bytes = excluded.size_bytes,
      etag = excluded.etag, last_modified_ms = excluded.last_modified_ms, storage_class = excluded.storage_class,
      checksum_algorithms = excluded.checksum_algorithms;
  WITH moved AS (
    UPDATE metadata.part p SET owner_id = p_version, ordinal = o.place - 1,
        replication = CASE WHEN v_replicates AND length(p.chunks) > 1 THEN 'pending' ELSE 'none' END
      FROM unnest(p_numbers) WITH ORDINALITY AS o(number, place)
      WHERE p.bucket_id = p_bucket AND p.owner_id = p_upload AND p.ordinal = o.number
      RETURNING p.write_id, p.replication)
  INSERT INTO metadata.outbox (bucket_id, kind, write_id, request_id, created_at_ms, claimed_until_ms)
    SELECT p_bucket, 'replicate', m.write_id, p_request, last_modified_ms, 0 FROM moved m WHERE m.replication = 'pending';
  PERFORM metadata.release_parts(p_bucket, p_upload, p_request, p_free_delay_ms);
  DELETE FROM metadata.upload u WHERE u.bucket_id = p_bucket AND u.key = p_key AND u.upload_id = p_upload;
  INSERT INTO metadata.upload_result (bucket_id, upload_id, key, version_id, etag, checksums, checksum_type, is_null,
      last_modified_ms)
    VALUES (p_bucket, p_upload, p_key, p_version, etag, checksums, checksum_type, is_null, last_modified_ms)
    -- A result older than its 24 hours may still stand.
    ON CONFLICT (bucket_id, upload_id) DO UPDATE SET key = excluded.key, version_id = excluded.version_id,
      etag = excluded.etag, checksums = excluded.checksums, checksum_type = excluded.checksum_type,
      is_null = excluded.is_null, last_modified_ms = excluded.last_modified_ms;
  INSERT INTO metadata.usage_delta (bucket_id, objects, bytes) VALUES (p_bucket, 1, v_used.size_bytes);
END $$;
`;
