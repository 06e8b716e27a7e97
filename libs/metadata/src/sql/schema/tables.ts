/**
 * Tables of schema `metadata`. Every table that grows with the data is keyed by bucket_id first, so that a distributed
 * Postgres can spread it; the outbox is a queue, keyed by the number that its rows are confirmed by, and names its bucket.
 * An index beside the primary key is partial, so that it serves only the queries it is meant for: on a table that was never
 * analysed the planner would as soon take any index that begins with bucket_id, and keep that plan while the table grows.
 * Times are milliseconds since the Unix epoch by the database's clock. Keys compare as bytes: COLLATE "C" in a UTF8 database.
 */
export const TABLES_SQL = String.raw`
CREATE TABLE metadata.cluster (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  cluster_id text NOT NULL,
  -- Raised when the database was restored or rebuilt: the high bits of every sequence. 32767 keeps the bigint positive.
  generation int NOT NULL CHECK (generation BETWEEN 1 AND 32767)
);

-- Every epoch stays: a commit compares the devices of the epoch it wrote under with those of today.
CREATE TABLE metadata.cluster_map (
  epoch bigint PRIMARY KEY,
  document jsonb NOT NULL,
  accepting_sets int NOT NULL,
  made_at_ms bigint NOT NULL
);

-- Low 48 bits of sequences and revisions. CACHE 1: a session that hoards numbers would hand them out in the wrong order.
CREATE SEQUENCE metadata.number_source AS bigint MINVALUE 1 MAXVALUE 281474976710655 CACHE 1 NO CYCLE;

CREATE TABLE metadata.bucket (
  bucket_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  created_at_ms bigint NOT NULL,
  home_set_id int NOT NULL,
  profile_k int NOT NULL,
  profile_m int NOT NULL,
  profile_secondary boolean NOT NULL,
  versioning text NOT NULL DEFAULT 'unversioned' CHECK (versioning IN ('unversioned', 'enabled', 'suspended')),
  revision bigint NOT NULL,
  -- Kinds of the documents that the bucket has, joined by commas: read with the bucket, so that a missing one is never asked for.
  configurations text NOT NULL DEFAULT '',
  -- The name of the region that its maker gave, when that was not the region's own.
  location text,
  CONSTRAINT bucket_name_key UNIQUE (name)
);
CREATE INDEX bucket_account ON metadata.bucket (account_id, name);

CREATE TABLE metadata.bucket_configuration (
  bucket_id bigint NOT NULL,
  kind text NOT NULL,
  document text NOT NULL,
  PRIMARY KEY (bucket_id, kind)
);

CREATE TABLE metadata.object_version (
  bucket_id bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  version_id bytea NOT NULL,
  is_null boolean NOT NULL,
  is_delete_marker boolean NOT NULL,
  revision bigint NOT NULL,
  size_bytes bigint NOT NULL,
  etag text NOT NULL,
  last_modified_ms bigint NOT NULL,
  attributes json NOT NULL,
  -- Key to value; NULL: none.
  tags json,
  -- A single PUT: its write and packed chunk list. A multipart object: the sizes of its parts, whose rows name this version.
  write_id bytea,
  chunks bytea,
  part_sizes bigint[],
  replication text NOT NULL CHECK (replication IN ('none', 'pending', 'completed')),
  PRIMARY KEY (bucket_id, key, sequence)
) WITH (fillfactor = 90);
CREATE INDEX object_version_null ON metadata.object_version (bucket_id, key) WHERE is_null;
CREATE UNIQUE INDEX object_version_id ON metadata.object_version (bucket_id, version_id) WHERE NOT is_null;
CREATE UNIQUE INDEX object_version_write ON metadata.object_version (bucket_id, write_id) WHERE write_id IS NOT NULL;

-- The current version of each key that has one that is not a delete marker: all that a listing reads.
CREATE TABLE metadata.object_current (
  bucket_id bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  size_bytes bigint NOT NULL,
  etag text NOT NULL,
  last_modified_ms bigint NOT NULL,
  storage_class text NOT NULL,
  -- Names joined by commas.
  checksum_algorithms text NOT NULL,
  PRIMARY KEY (bucket_id, key)
) WITH (fillfactor = 80);

CREATE TABLE metadata.upload (
  bucket_id bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  upload_id bytea NOT NULL,
  attributes json NOT NULL,
  tags json,
  -- Of the parts and of the object: {algorithm, type}; NULL when the client named none.
  checksum json,
  account_id text NOT NULL,
  initiator_arn text NOT NULL,
  created_at_ms bigint NOT NULL,
  PRIMARY KEY (bucket_id, key, upload_id)
);

-- owner_id: the open upload (ordinal = part number), after Complete the version (ordinal = place in part_sizes, from 0).
CREATE TABLE metadata.part (
  bucket_id bigint NOT NULL,
  owner_id bytea NOT NULL,
  ordinal int NOT NULL,
  key text COLLATE "C" NOT NULL,
  part_number int NOT NULL,
  write_id bytea,
  size_bytes bigint NOT NULL,
  etag text NOT NULL,
  checksums json NOT NULL,
  last_modified_ms bigint NOT NULL,
  chunks bytea NOT NULL,
  replication text NOT NULL CHECK (replication IN ('none', 'pending', 'completed')),
  PRIMARY KEY (bucket_id, owner_id, ordinal)
);
CREATE UNIQUE INDEX part_write ON metadata.part (bucket_id, write_id) WHERE write_id IS NOT NULL;

CREATE TABLE metadata.upload_result (
  bucket_id bigint NOT NULL,
  upload_id bytea NOT NULL,
  key text COLLATE "C" NOT NULL,
  version_id bytea NOT NULL,
  etag text NOT NULL,
  checksums json NOT NULL,
  checksum_type text,
  is_null boolean NOT NULL,
  last_modified_ms bigint NOT NULL,
  PRIMARY KEY (bucket_id, upload_id)
);
CREATE INDEX upload_result_age ON metadata.upload_result (last_modified_ms);

-- Work owed. A row is nobody's to take before claimed_until_ms: a delayed row is born claimed, a taken one becomes due
-- again by itself, and it goes when its effect was confirmed.
CREATE TABLE metadata.outbox (
  intent_id bigint GENERATED ALWAYS AS IDENTITY,
  bucket_id bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('catalogue', 'replicate', 'repair', 'free', 'notify')),
  write_id bytea NOT NULL,
  chunks bytea,
  request_id text NOT NULL,
  created_at_ms bigint NOT NULL,
  claimed_until_ms bigint NOT NULL,
  attempts int NOT NULL DEFAULT 0,
  PRIMARY KEY (intent_id, bucket_id)
);
CREATE INDEX outbox_due ON metadata.outbox (claimed_until_ms) WHERE kind IN ('replicate', 'free');

-- Insert-only, so that no row is shared by two keys; folded into usage by a worker.
CREATE TABLE metadata.usage_delta (
  bucket_id bigint NOT NULL,
  objects bigint NOT NULL,
  bytes bigint NOT NULL
);
CREATE INDEX usage_delta_bucket ON metadata.usage_delta (bucket_id);
CREATE TABLE metadata.usage (
  bucket_id bigint PRIMARY KEY,
  objects bigint NOT NULL,
  bytes bigint NOT NULL
);
`;
