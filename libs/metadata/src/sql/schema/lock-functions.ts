/**
 * Locks are transaction-level advisory locks. Number of a lock: its class in bits 62 and 61, a hash in the 61 bits below.
 *   map-change 0: the number 0              commits share it, a change of the cluster map takes it alone
 *   bucket     1: (1 << 61) | bucket id     commits and parts share it, DeleteBucket and configuration take it alone
 *   upload     2: (2 << 61) | hash          parts share it, Complete and Abort take it alone
 *   key        3: (3 << 61) | hash          one writer; a part of an upload uses this class too
 *   hash = hashtextextended(text, bucket id) & (2^61 - 1); text is the key, the upload id in hex, or `upload/part number`
 * Who takes several takes them in ascending order of the number. Two keys with one number only wait for each other.
 */
export const LOCK_FUNCTIONS_SQL = String.raw`
CREATE FUNCTION metadata.bucket_lock(p_bucket bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (1::bigint << 61) | (p_bucket & 2305843009213693951)
$$;
CREATE FUNCTION metadata.upload_lock(p_bucket bigint, p_upload bytea) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (2::bigint << 61) | (hashtextextended(encode(p_upload, 'hex') COLLATE "C", p_bucket) & 2305843009213693951)
$$;
CREATE FUNCTION metadata.key_lock(p_bucket bigint, p_key text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (3::bigint << 61) | (hashtextextended(p_key COLLATE "C", p_bucket) & 2305843009213693951)
$$;

-- For operators and tests: holds the key until the transaction ends.
CREATE FUNCTION metadata.lock_key(p_bucket bigint, p_key text) RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT pg_advisory_xact_lock(metadata.key_lock(p_bucket, p_key))
$$;
COMMENT ON FUNCTION metadata.lock_key(bigint, text) IS
  'Transaction-level advisory lock (3 << 61) | (hashtextextended(key COLLATE "C", bucket_id) & (2^61 - 1))';

CREATE FUNCTION metadata.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- Drawn only while the record's lock is held.
CREATE FUNCTION metadata.next_number() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT (c.generation::bigint << 48) | nextval('metadata.number_source') FROM metadata.cluster c
$$;

-- Chunk ids of a packed chunk list (format 1, see docs/formats.md), in order.
CREATE FUNCTION metadata.chunk_ids(p_packed bytea) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_at int := 1;
  v_flags int;
  v_ids text[] := '{}';
BEGIN
  WHILE v_at < length(p_packed) LOOP
    v_flags := get_byte(p_packed, v_at);
    v_ids := v_ids || encode(substring(p_packed FROM v_at + 6 FOR 16), 'hex');
    v_at := v_at + 5;
    FOR v_copy IN 0 .. (v_flags & 1) LOOP
      v_at := v_at + 20 + 2 * (get_byte(p_packed, v_at + 18) + get_byte(p_packed, v_at + 19));
    END LOOP;
  END LOOP;
  RETURN v_ids;
END $$;

-- Seed 3's metadata table of objects: what the rows above say, in its words.
CREATE VIEW metadata.object_metadata AS
  SELECT b.name AS bucket_name, v.key AS name_or_key, v.version_id, v.sequence, b.account_id AS owner, v.size_bytes AS size,
    v.etag, v.last_modified_ms, v.attributes -> 'userMetadata' AS name_value_pairs,
    CASE WHEN v.part_sizes IS NULL THEN metadata.chunk_ids(v.chunks) ELSE ARRAY(
      SELECT u.id FROM metadata.part p, unnest(metadata.chunk_ids(p.chunks)) WITH ORDINALITY AS u(id, place)
      WHERE p.bucket_id = v.bucket_id AND p.owner_id = v.version_id ORDER BY p.ordinal, u.place) END AS data_blocks
  FROM metadata.object_version v JOIN metadata.bucket b ON b.bucket_id = v.bucket_id WHERE NOT v.is_delete_marker;
`;
