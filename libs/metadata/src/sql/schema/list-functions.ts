/**
 * Listing by skip scan over the pointers. Keys are UTF-8 compared as bytes, which is the order of code points, so the
 * successor of a prefix is made by raising its last code point: U+D7FF is followed by U+E000 (surrogates are no
 * characters) and U+10FFFF has no successor, so the character before it is raised instead.
 *
 * Versions lie by key and ascending sequence, and are shown newest first: one scan finds the keys, and the versions of each
 * are read backwards from its end. The rows that the scan passes are no more than those that are returned.
 */
export const LIST_FUNCTIONS_SQL = String.raw`
-- The least text that is greater than every text beginning with p_prefix; NULL when there is none.
CREATE FUNCTION metadata.prefix_end(p_prefix text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_rest text := rtrim(p_prefix, U&'\+10FFFF');
  v_code int;
BEGIN
  IF v_rest = '' THEN RETURN NULL; END IF;
  v_code := ascii(right(v_rest, 1));
  RETURN left(v_rest, -1) || chr(CASE WHEN v_code = 55295 THEN 57344 ELSE v_code + 1 END);
END $$;

-- Up to p_limit + 1 entries at or after p_from; prefixes stand in "key" with is_prefix. "probes" counts index descents so far.
CREATE FUNCTION metadata.list_objects(p_bucket bigint, p_prefix text, p_delimiter text, p_from text, p_limit int)
RETURNS TABLE (is_prefix boolean, key text, size_bytes bigint, etag text, last_modified_ms bigint, storage_class text,
  checksum_algorithms text, probes int)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  v_from text COLLATE "C" := greatest(p_prefix COLLATE "C", p_from COLLATE "C");
  v_left int := p_limit + 1;
  v_place int;
  v_row record;
BEGIN
  probes := 0;
  <<skip>>
  WHILE v_left > 0 AND v_from IS NOT NULL LOOP
    probes := probes + 1;
    FOR v_row IN
      SELECT c.* FROM metadata.object_current c
      WHERE c.bucket_id = p_bucket AND c.key >= v_from
      ORDER BY c.key LIMIT v_left
    LOOP
      -- Keys with the prefix are neighbours: the first without it is the end.
      IF NOT starts_with(v_row.key, p_prefix) THEN RETURN; END IF;
      v_place := CASE WHEN p_delimiter = '' THEN 0 ELSE strpos(substr(v_row.key, length(p_prefix) + 1), p_delimiter) END;
      v_left := v_left - 1;
      key := v_row.key;
      IF v_place > 0 THEN
        is_prefix := true;
        key := left(v_row.key, length(p_prefix) + v_place - 1 + length(p_delimiter));
        v_from := metadata.prefix_end(key);
        RETURN NEXT;
        CONTINUE skip;
      END IF;
      is_prefix := false;
      size_bytes := v_row.size_bytes;
      etag := v_row.etag;
      last_modified_ms := v_row.last_modified_ms;
      storage_class := v_row.storage_class;
      checksum_algorithms := v_row.checksum_algorithms;
      RETURN NEXT;
    END LOOP;
    RETURN;
  END LOOP;
END $$;

-- Open uploads in the order (key, upload id), strictly after (p_from, p_from_upload); an empty id comes before every upload.
CREATE FUNCTION metadata.list_uploads(p_bucket bigint, p_prefix text, p_delimiter text, p_from text, p_from_upload bytea,
  p_limit int)
RETURNS TABLE (is_prefix boolean, key text, upload_id bytea, initiator_arn text, storage_class text, checksum json,
  created_at_ms bigint, probes int)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  v_from text COLLATE "C" := greatest(p_prefix COLLATE "C", p_from COLLATE "C");
  v_from_upload bytea := CASE WHEN v_from = p_from THEN p_from_upload ELSE ''::bytea END;
  v_left int := p_limit + 1;
  v_place int;
  v_row record;
BEGIN
  probes := 0;
  <<skip>>
  WHILE v_left > 0 AND v_from IS NOT NULL LOOP
    probes := probes + 1;
    FOR v_row IN
      SELECT u.* FROM metadata.upload u
      WHERE u.bucket_id = p_bucket AND (u.key, u.upload_id) > (v_from, v_from_upload)
      ORDER BY u.key, u.upload_id LIMIT v_left
    LOOP
      IF NOT starts_with(v_row.key, p_prefix) THEN RETURN; END IF;
      v_place := CASE WHEN p_delimiter = '' THEN 0 ELSE strpos(substr(v_row.key, length(p_prefix) + 1), p_delimiter) END;
      v_left := v_left - 1;
      key := v_row.key;
      IF v_place > 0 THEN
        is_prefix := true;
        key := left(v_row.key, length(p_prefix) + v_place - 1 + length(p_delimiter));
        v_from := metadata.prefix_end(key);
        v_from_upload := ''::bytea;
        RETURN NEXT;
        CONTINUE skip;
      END IF;
      is_prefix := false;
      upload_id := v_row.upload_id;
      initiator_arn := v_row.initiator_arn;
      storage_class := v_row.attributes ->> 'storageClass';
      checksum := v_row.checksum;
      created_at_ms := v_row.created_at_ms;
      RETURN NEXT;
    END LOOP;
    RETURN;
  END LOOP;
END $$;

-- Up to p_limit entries of one key, newest first: those below p_below, all when it is NULL.
CREATE FUNCTION metadata.versions_of(p_bucket bigint, p_key text, p_below bigint, p_limit int)
RETURNS TABLE (is_prefix boolean, key text, version_id bytea, is_null boolean, is_latest boolean, is_delete_marker boolean,
  size_bytes bigint, etag text, last_modified_ms bigint, storage_class text, checksum_algorithms text)
LANGUAGE sql STABLE AS $$
  SELECT false, v.key, v.version_id, v.is_null, p_below IS NULL AND row_number() OVER (ORDER BY v.sequence DESC) = 1,
    v.is_delete_marker, v.size_bytes, v.etag, v.last_modified_ms, v.attributes ->> 'storageClass',
    coalesce((SELECT string_agg(k, ',') FROM json_object_keys(v.attributes -> 'checksums') k), '')
  FROM metadata.object_version v
  WHERE v.bucket_id = p_bucket AND v.key = p_key AND v.sequence < coalesce(p_below, 9223372036854775807)
  ORDER BY v.sequence DESC LIMIT p_limit
$$;

-- Up to p_limit + 1 entries: first the versions of p_after_key that are older than the one that p_after_version names (all of
-- them when it is gone), then those of the keys at or after p_from. p_after_key NULL: only the latter.
CREATE FUNCTION metadata.list_versions(p_bucket bigint, p_prefix text, p_delimiter text, p_from text, p_after_key text,
  p_after_version text, p_limit int)
RETURNS TABLE (is_prefix boolean, key text, version_id bytea, is_null boolean, is_latest boolean, is_delete_marker boolean,
  size_bytes bigint, etag text, last_modified_ms bigint, storage_class text, checksum_algorithms text, probes int)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  v_from text COLLATE "C" := greatest(p_prefix COLLATE "C", p_from COLLATE "C");
  v_left int := p_limit + 1;
  v_probes int := 0;
  v_count int;
  v_place int;
  v_key text COLLATE "C";
  v_last text COLLATE "C";
BEGIN
  IF p_after_key IS NOT NULL THEN
    v_probes := 2;
    RETURN QUERY SELECT o.*, v_probes FROM metadata.versions_of(p_bucket, p_after_key, (
      SELECT v.sequence FROM metadata.object_version v WHERE v.bucket_id = p_bucket AND v.key = p_after_key
        AND CASE WHEN p_after_version = 'null' THEN v.is_null ELSE NOT v.is_null AND v.version_id = decode(p_after_version, 'hex') END
      LIMIT 1), v_left) o;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_left := v_left - v_count;
  END IF;
  <<skip>>
  WHILE v_left > 0 AND v_from IS NOT NULL LOOP
    v_probes := v_probes + 1;
    v_last := NULL;
    FOR v_key IN
      SELECT v.key FROM metadata.object_version v
      WHERE v.bucket_id = p_bucket AND v.key >= v_from
      ORDER BY v.key LIMIT v_left
    LOOP
      CONTINUE WHEN v_key = v_last;
      v_last := v_key;
      IF NOT starts_with(v_key, p_prefix) THEN RETURN; END IF;
      v_place := CASE WHEN p_delimiter = '' THEN 0 ELSE strpos(substr(v_key, length(p_prefix) + 1), p_delimiter) END;
      IF v_place > 0 THEN
        is_prefix := true;
        key := left(v_key, length(p_prefix) + v_place - 1 + length(p_delimiter));
        probes := v_probes;
        v_from := metadata.prefix_end(key);
        v_left := v_left - 1;
        RETURN NEXT;
        CONTINUE skip;
      END IF;
      v_probes := v_probes + 1;
      RETURN QUERY SELECT o.*, v_probes FROM metadata.versions_of(p_bucket, v_key, NULL, v_left) o;
      GET DIAGNOSTICS v_count = ROW_COUNT;
      v_left := v_left - v_count;
      IF v_left <= 0 THEN RETURN; END IF;
    END LOOP;
    RETURN;
  END LOOP;
END $$;
`;
