export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
/** Block of a device: the unit of allocation and of checksums. */
export const BLOCK_BYTES = 4 * KIB;
