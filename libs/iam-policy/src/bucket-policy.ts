import { parsePolicy } from './compiled-policy.js';
import { PolicyError } from './policy-error.js';
import type { PolicyStatement } from './policy-document.js';

/**
 * Whether a text can be the policy of this bucket: in the grammar, about actions of S3, and about this bucket and what is in
 * it. Errors: PolicyError.
 */
export function checkBucketPolicy(text: string, bucketName: string): void {
  for (const statement of parsePolicy(text, 'resource').statements) {
    checkEach(statement, 'Action', isOfS3, 'the policy of a bucket speaks of actions of s3');
    checkEach(statement, 'Resource', (one) => reaches(one, bucketName), 'it lies outside of the bucket');
  }
}

function checkEach(
  { place, actions, actionsInverted, resources, resourcesInverted }: PolicyStatement,
  element: 'Action' | 'Resource',
  isGood: (value: string) => boolean,
  problem: string,
): void {
  const values = element === 'Action' ? actions : resources;
  const inverted = element === 'Action' ? actionsInverted : resourcesInverted;
  const wrong = values.findIndex((value) => !isGood(value));
  if (wrong === -1) return;
  const name = `${place}.${inverted ? 'Not' : ''}${element}`;
  throw new PolicyError('malformed', values.length === 1 ? name : `${name}[${wrong}]`, problem);
}

function isOfS3(action: string): boolean {
  return action === '*' || action.toLowerCase().startsWith('s3:');
}

/** Whether a pattern of ARNs can name the bucket or something in it; a policy variable could stand for anything. */
function reaches(resource: string, bucketName: string): boolean {
  if (resource === '*') return false;
  const pattern = resource.replaceAll(/\$\{[^}]*\}/g, '*');
  const bucketEnds = advance(new Set([0]), pattern, `arn:aws:s3:::${bucketName}`);
  return hasEnd(bucketEnds, pattern) || advance(bucketEnds, pattern, '/').size > 0;
}

/** Where in the pattern one may stand after the text. The colons of an ARN are its own: no wildcard stands for one. */
function advance(from: ReadonlySet<number>, pattern: string, text: string): Set<number> {
  let places = withSkippedStars(from, pattern);
  for (const character of text) {
    const next = new Set<number>();
    for (const place of places) {
      const wanted = pattern[place];
      if (wanted === '*' && character !== ':') next.add(place);
      else if (wanted === character || (wanted === '?' && character !== ':')) next.add(place + 1);
    }
    places = withSkippedStars(next, pattern);
  }
  return places;
}

function withSkippedStars(places: ReadonlySet<number>, pattern: string): Set<number> {
  const all = new Set(places);
  for (const place of all) if (pattern[place] === '*') all.add(place + 1);
  return all;
}

function hasEnd(places: ReadonlySet<number>, pattern: string): boolean {
  return places.has(pattern.length);
}
