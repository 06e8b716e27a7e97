import { s, type Infer } from './schema.js';

/** k+m inside a set, and whether a secondary set holds a copy. */
export const RedundancyProfileSchema = s.object({
  k: s.integer(1, 32),
  m: s.integer(0, 31),
  secondary: s.boolean,
});
export type RedundancyProfile = Infer<typeof RedundancyProfileSchema>;
