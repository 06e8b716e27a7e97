/**
 * Listing by skip scan over the pointers. Keys are UTF-8 compared as bytes, which is the order of code points, so the
 * successor of a prefix is made by raising its last code point: U+D7FF is followed by U+E000 (surrogates are no
 * characters) and U+10FFFF has no successor, so the character before it is raised instead.
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
`;
