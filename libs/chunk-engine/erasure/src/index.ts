export { splitChunk, storedUnitSize, unitSizeFor, type SplitChunk } from './chunk-split.js';
export { SimdKernel, groupMemory } from './galois-kernel.js';
export { ReedSolomon } from './reed-solomon.js';
