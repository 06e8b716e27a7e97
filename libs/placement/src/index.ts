export { layoutFor, type ChunkLayout } from './chunk-layout.js';
export { homeSet, secondarySet, type PlacementSet } from './home-set.js';
export {
  chooseProfile,
  errorBudget,
  smallObjectProfile,
  smallerProfiles,
  type DurabilityMargin,
  type RedundancyProfile,
} from './profile.js';
export { permuteSlots, type PlacementDevice } from './slot-permutation.js';
