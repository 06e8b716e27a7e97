import type { CallContext } from './call-context.js';
import type { ChunkEntry } from './chunk-list.codec.js';
import type { WriteId } from './ids.js';
import type { WrittenPart } from './metadata.port.js';
import type { RedundancyProfile } from './redundancy.js';

/** Where one body goes. */
export interface WriteTarget {
  readonly bucketId: bigint;
  /** The bucket's first choice; a full, draining or failed set is passed over. */
  readonly homeSetId: number;
  readonly profile: RedundancyProfile;
  readonly writeId: WriteId;
  /** Bytes of the body where the client has said so: sizes buffers, is not trusted. */
  readonly expectedBytes?: number;
}

export interface ReadRange {
  readonly chunks: readonly ChunkEntry[];
  /** First and last byte (inclusive) counted from the beginning of `chunks`. */
  readonly firstByte: number;
  readonly lastByte: number;
}

/**
 * The data service: splits into chunks, computes parity, places, writes, reads, aggregates. Bytes only: it knows no keys.
 * Errors: ServiceUnavailable (no margin could be kept, too few devices), SlowDown (no buffer in time), DataUnreadable.
 */
export abstract class ObjectData {
  /**
   * Resolves when every chunk's units are durable within the error budget. The body is pulled at the pace of the devices; when
   * it throws, the write is abandoned and its units are orphans for the collector.
   */
  abstract write(call: CallContext, target: WriteTarget, body: AsyncIterable<Buffer>): Promise<WrittenPart>;

  /**
   * The bytes of the range in order, each only after its unit verified. A failure after the first byte is thrown from the
   * iteration: the consumer destroys its connection, never ends it cleanly with fewer bytes. Each piece is lent until the next
   * one is asked for or the iteration is left: then its memory may hold bytes of another object. Who hands a piece to a socket
   * waits until the socket is done with it; who keeps it copies it.
   */
  abstract read(call: CallContext, range: ReadRange): AsyncIterable<Buffer>;
}
