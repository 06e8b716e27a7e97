/** What travels between a unit store's caller and the data node: the routes are in data-node/http/unit-wire.codec.ts. */
import { DatabaseIdentitySchema } from './metadata.port.js';
import { s } from './schema.js';

/** Header of an answer with a unit's bytes: `k m chunk size bucket write`, or `absent`. */
export const UNIT_HEADER_FIELD = 'x-holdfast-unit';

const position = s.object({ chunkId: s.hex(16), unitIndex: s.integer(0, 255) });
const listedUnit = s.object({
  chunkId: s.hex(16),
  unitIndex: s.integer(0, 255),
  k: s.integer(1, 255),
  m: s.integer(0, 255),
  chunkSizeBytes: s.integer(),
  unitSizeBytes: s.integer(),
  bucketId: s.bigint,
  writeId: s.hex(16),
  writtenAtMs: s.integer(),
});

export const FreeUnitsSchema = s.object({
  deviceId: s.string(64),
  units: s.array(position),
  database: DatabaseIdentitySchema,
});
export const ListUnitsSchema = s.object({
  deviceId: s.string(64),
  after: s.optional(position),
  limit: s.integer(1, 10_000),
  minimumAgeMs: s.integer(),
});
export const ListedUnitsSchema = s.object({ units: s.array(listedUnit, 10_000) });
