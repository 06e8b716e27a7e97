/** Whether a text has at most so many characters: code points, as JSON Schema and Postgres count them, not halves of pairs. */
export function hasAtMost(max: number, text: string): boolean {
  // A character is at most two units of a string: only between the two it has to be counted.
  return text.length <= max || (text.length <= 2 * max && charactersOf(text) <= max);
}

/** Code points. */
export function charactersOf(text: string): number {
  let count = 0;
  for (const _character of text) count += 1;
  return count;
}
