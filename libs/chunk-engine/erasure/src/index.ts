export { splitChunk, storedUnitSize, unitSizeFor, type SplitChunk } from './chunk-split.js';
export { ReedSolomon, type ReconstructOptions } from './reed-solomon.js';
