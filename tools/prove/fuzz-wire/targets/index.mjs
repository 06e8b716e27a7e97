/**
 * What is fuzzed. A target has
 *   name, share      its part of all inputs, in hundredths
 *   subject          the code under test, or `open(plant)` and `close(subject)` where it has to be started
 *   planted          the same code with one bug each, by the bug's name: the target must find every one
 *   trial(draw, trial, subject)   makes one input from `draw` and judges it; throws a Finding
 */
import { chunked } from './chunked.mjs';
import { crossOrigin } from './cross-origin.mjs';
import { documents } from './documents.mjs';
import { forms } from './forms.mjs';
import { policies } from './policies.mjs';
import { requests } from './requests.mjs';
import { signature } from './signature.mjs';
import { targetsAndRanges } from './targets-and-ranges.mjs';

export const targets = [signature, chunked, crossOrigin, documents, forms, policies, targetsAndRanges, requests];
