import { GIB, KIB, MIB } from '@holdfast/stdx';

/** Every limit that more than one component must agree on, named with its unit. */
export const LIMITS = {
  /** A chunk of an object: the unit of encoding and of the error budget. */
  chunkBytesMax: 8 * MIB,
  /** Chunks up to this size are stored as k=1: m+1 copies of one unit. */
  smallChunkBytesMax: 16 * KIB,
  /** Units up to this size travel with the request; larger ones are asked for by the node (Expect: 100-continue). */
  inlineUnitBytesMax: 16 * KIB,
  keyBytesMax: 1024,
  userMetadataBytesMax: 2 * KIB,
  putObjectBytesMax: 5 * GIB,
  partBytesMax: 5 * GIB,
  partBytesMin: 5 * MIB,
  partsMax: 10_000,
  deleteObjectsMax: 1000,
  listPageMax: 1000,
  xmlBodyBytesMax: 2 * MIB,
  headerCountMax: 100,
  headerBytesMax: 16 * KIB,
  /** Items of one commit batch. */
  commitBatchMax: 64,
  clockSkewMsMax: 15 * 60 * 1000,
  presignedSecondsMax: 7 * 24 * 3600,
} as const;
