// Changes of texts: a few at random places, with tokens that mean something to the reader of the text.

const EDITS = [
  (text, at, draw, tokens) => text.slice(0, at) + draw.of(tokens) + text.slice(at),
  (text, at, draw) => text.slice(0, at) + text.slice(at + draw.between(1, 8)),
  (text, at, draw) => text.slice(0, at) + String.fromCharCode(draw.below(256)) + text.slice(at + 1),
  (text, at, draw) => {
    const end = at + draw.between(1, 24);
    return text.slice(0, end) + text.slice(at, end).repeat(draw.between(1, 3)) + text.slice(end);
  },
  (text, at, draw) => {
    const other = draw.below(text.length + 1);
    const [first, second] = at < other ? [at, other] : [other, at];
    return text.slice(0, first) + text.slice(second) + text.slice(first, second);
  },
  (text, at) => text.slice(0, at),
  (text, at, draw, tokens) => text.slice(0, at) + draw.of(tokens).repeat(draw.of([2, 10, 1000])) + text.slice(at),
];

/** One to four edits; a byte string stays one. */
export function mutated(text, draw, tokens, lengthMax = 70_000) {
  let changed = text;
  for (let edits = draw.between(1, 4); edits > 0; edits -= 1)
    changed = draw.of(EDITS)(changed, draw.below(changed.length + 1), draw, tokens);
  return changed.slice(0, lengthMax);
}
