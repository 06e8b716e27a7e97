/** Buckets, secondary copies and the housekeeping of usage. */
export const BUCKET_FUNCTIONS_SQL = String.raw`
CREATE FUNCTION metadata.delete_bucket(p_bucket bigint, p_left_ms float8, p_request text, p_free_delay_ms bigint) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM set_config('lock_timeout', greatest(1, ceil(p_left_ms))::bigint::text, true);
  PERFORM pg_advisory_xact_lock(metadata.bucket_lock(p_bucket));
  IF NOT EXISTS (SELECT FROM metadata.bucket b WHERE b.bucket_id = p_bucket) THEN RETURN 'no-bucket'; END IF;
  IF EXISTS (SELECT FROM metadata.object_version v WHERE v.bucket_id = p_bucket) THEN RETURN 'not-empty'; END IF;
  -- Without versions every part that is left belongs to an open upload.
  PERFORM metadata.release_parts(p_bucket, u.upload_id, p_request, p_free_delay_ms)
    FROM metadata.upload u WHERE u.bucket_id = p_bucket;
  DELETE FROM metadata.upload u WHERE u.bucket_id = p_bucket;
  DELETE FROM metadata.upload_result r WHERE r.bucket_id = p_bucket;
  DELETE FROM metadata.bucket_configuration c WHERE c.bucket_id = p_bucket;
  DELETE FROM metadata.bucket b WHERE b.bucket_id = p_bucket;
  RETURN 'deleted';
END $$;

-- Takes the bucket alone until the transaction ends, and judges whether its configuration may be changed: NULL when so.
-- Commits share this lock: none is half judged by the old configuration when the new one stands.
CREATE FUNCTION metadata.hold_bucket(p_bucket bigint, p_revision bigint, p_left_ms float8) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_started timestamptz := clock_timestamp();
  v_revision bigint;
BEGIN
  PERFORM set_config('lock_timeout', greatest(1, ceil(p_left_ms))::bigint::text, true);
  PERFORM pg_advisory_xact_lock(metadata.bucket_lock(p_bucket));
  IF extract(epoch FROM clock_timestamp() - v_started) * 1000 >= p_left_ms THEN RETURN 'late'; END IF;
  SELECT b.revision INTO v_revision FROM metadata.bucket b WHERE b.bucket_id = p_bucket;
  RETURN CASE WHEN v_revision IS NULL THEN 'no-bucket' WHEN v_revision <> p_revision THEN 'bucket-changed' END;
END $$;

CREATE FUNCTION metadata.set_versioning(p_bucket bigint, p_revision bigint, p_versioning text, p_left_ms float8,
  OUT outcome text, OUT revision bigint) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  outcome := coalesce(metadata.hold_bucket(p_bucket, p_revision, p_left_ms), 'changed');
  IF outcome <> 'changed' THEN RETURN; END IF;
  revision := metadata.next_number();
  UPDATE metadata.bucket b SET versioning = p_versioning, revision = set_versioning.revision WHERE b.bucket_id = p_bucket;
END $$;

-- A NULL document takes the kind away.
CREATE FUNCTION metadata.put_bucket_configuration(p_bucket bigint, p_revision bigint, p_kind text, p_document text,
  p_left_ms float8, OUT outcome text, OUT revision bigint) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  outcome := coalesce(metadata.hold_bucket(p_bucket, p_revision, p_left_ms), 'changed');
  IF outcome <> 'changed' THEN RETURN; END IF;
  revision := metadata.next_number();
  IF p_document IS NULL THEN
    DELETE FROM metadata.bucket_configuration c WHERE c.bucket_id = p_bucket AND c.kind = p_kind;
  ELSE
    INSERT INTO metadata.bucket_configuration AS c (bucket_id, kind, document) VALUES (p_bucket, p_kind, p_document)
      ON CONFLICT (bucket_id, kind) DO UPDATE SET document = excluded.document;
  END IF;
  UPDATE metadata.bucket b SET revision = put_bucket_configuration.revision, configurations = coalesce(
      (SELECT string_agg(c.kind, ',' ORDER BY c.kind) FROM metadata.bucket_configuration c WHERE c.bucket_id = p_bucket), '')
    WHERE b.bucket_id = p_bucket;
END $$;

-- Puts the merged chunk list in the place of the one it was made from, under the key's lock. changed: the record is another
-- by now (or gone): the caller reads it again.
CREATE FUNCTION metadata.confirm_replica(p_intent bigint, p_bucket bigint, p_key text, p_write bytea, p_expected bytea,
  p_merged bytea, p_left_ms float8) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_started timestamptz := clock_timestamp();
  v_owner bytea;
BEGIN
  PERFORM set_config('lock_timeout', greatest(1, ceil(p_left_ms))::bigint::text, true);
  PERFORM pg_advisory_xact_lock_shared(metadata.bucket_lock(p_bucket));
  PERFORM pg_advisory_xact_lock(metadata.key_lock(p_bucket, p_key));
  IF extract(epoch FROM clock_timestamp() - v_started) * 1000 >= p_left_ms THEN RETURN 'late'; END IF;
  UPDATE metadata.object_version v SET chunks = p_merged, replication = 'completed', revision = metadata.next_number()
    WHERE v.bucket_id = p_bucket AND v.write_id = p_write AND v.key = p_key AND v.chunks = p_expected;
  IF NOT FOUND THEN
    UPDATE metadata.part p SET chunks = p_merged, replication = 'completed'
      WHERE p.bucket_id = p_bucket AND p.write_id = p_write AND p.key = p_key AND p.chunks = p_expected
      RETURNING p.owner_id INTO v_owner;
    IF NOT FOUND THEN RETURN 'changed'; END IF;
    IF NOT EXISTS (
      SELECT FROM metadata.part p WHERE p.bucket_id = p_bucket AND p.owner_id = v_owner AND p.replication = 'pending') THEN
      UPDATE metadata.object_version v SET replication = 'completed', revision = metadata.next_number()
        WHERE v.bucket_id = p_bucket AND v.key = p_key AND v.version_id = v_owner AND v.replication = 'pending';
    END IF;
  END IF;
  DELETE FROM metadata.outbox o WHERE o.intent_id = p_intent AND o.bucket_id = p_bucket;
  RETURN 'kept';
END $$;

CREATE FUNCTION metadata.fold_usage(p_limit int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_folded int;
BEGIN
  WITH taken AS (
    DELETE FROM metadata.usage_delta d WHERE d.ctid = ANY (ARRAY(
      SELECT t.ctid FROM metadata.usage_delta t LIMIT p_limit FOR UPDATE SKIP LOCKED))
      RETURNING d.bucket_id, d.objects, d.bytes
  ), summed AS (
    INSERT INTO metadata.usage AS u (bucket_id, objects, bytes)
      SELECT t.bucket_id, sum(t.objects), sum(t.bytes) FROM taken t GROUP BY t.bucket_id ORDER BY t.bucket_id
      ON CONFLICT (bucket_id) DO UPDATE SET objects = u.objects + excluded.objects, bytes = u.bytes + excluded.bytes
  )
  SELECT count(*) INTO v_folded FROM taken;
  DELETE FROM metadata.usage u WHERE u.objects = 0 AND u.bytes = 0
    AND NOT EXISTS (SELECT FROM metadata.bucket b WHERE b.bucket_id = u.bucket_id);
  RETURN v_folded;
END $$;
`;
