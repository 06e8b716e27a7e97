/**
 * Matching of `*` (any characters, none too) and `?` (exactly one), in time that a hostile pattern cannot stretch.
 *
 * `*` cuts a pattern into pieces. The first and the last are held against the ends of the text; each piece between is
 * looked for leftmost, behind the one before, and never again: leftmost is always right, so nothing is tried twice. A piece
 * without `?` is searched by Knuth-Morris-Pratt, two steps per character of text; one with `?` by Shift-And, which keeps 32
 * places of the piece in one word: one step per character and word, and five per character. So a match costs at most
 * `5 * text + text * piece / 32` steps, where backtracking over the last star costs `text * pattern`.
 * Characters are UTF-16 units: `?` stands for one of them.
 */
interface Piece {
  /** Where `holes` is set stands a `?`, whatever character is here. */
  readonly text: string;
  readonly holes?: readonly boolean[];
}
interface SoughtPiece extends Piece {
  /** Finds the piece in text[from..end), or -1. */
  readonly find: (text: string, from: number, end: number, work: MatchWork) => number;
}

/** A part of a pattern: text that stands for itself, or a wildcard. A value from outside is always text. */
export type PatternToken = string | typeof ANY | typeof ONE;
/** `*` */
export const ANY = Symbol('any characters');
/** `?` */
export const ONE = Symbol('one character');

export interface CompiledWildcard {
  readonly head: Piece;
  /** Absent when the pattern has no `*`: then the head is the whole. */
  readonly tail?: Piece;
  readonly middle: readonly SoughtPiece[];
  /** Text shorter than this cannot match. */
  readonly lengthMin: number;
}

/** Steps that searches have taken, for the test of the bound. */
export interface MatchWork {
  steps: number;
}

/** The wildcards of a text as tokens. */
export function wildcardTokens(text: string): PatternToken[] {
  return text.split(/([*?])/).map((part) => (part === '*' ? ANY : part === '?' ? ONE : part));
}

export function compileWildcard(pattern: string): CompiledWildcard {
  return compileTokens(wildcardTokens(pattern));
}

export function compileTokens(tokens: readonly PatternToken[]): CompiledWildcard {
  const [head, ...rest] = piecesOf(tokens);
  const tail = rest.pop();
  const middle = rest.filter(({ text }) => text !== '').map((piece) => ({ ...piece, find: searchFor(piece) }));
  const lengthMin = middle.reduce((sum, { text }) => sum + text.length, head.text.length + (tail?.text.length ?? 0));
  return { head, tail, middle, lengthMin };
}

/** What stands between the `*`. */
function piecesOf(tokens: readonly PatternToken[]): Piece[] {
  const pieces: Piece[] = [];
  let texts: string[] = [];
  let holes: boolean[] = [];
  const close = (): void => {
    const text = texts.join('');
    pieces.push(
      holes.length === 0 ? { text } : { text, holes: Array.from({ length }, (_, index) => holes[index] === true) },
    );
    texts = [];
    holes = [];
  };
  let length = 0;
  for (const token of tokens) {
    if (token === ANY) {
      close();
      length = 0;
    } else if (token === ONE) {
      holes[length++] = true;
      texts.push('?');
    } else {
      texts.push(token);
      length += token.length;
    }
  }
  close();
  return pieces;
}

export function matchWildcard(pattern: CompiledWildcard, text: string, work: MatchWork = { steps: 0 }): boolean {
  const { head, tail, middle, lengthMin } = pattern;
  if (text.length < lengthMin) return false;
  if (tail === undefined) return text.length === head.text.length && fitsAt(head, text, 0, work);
  const end = text.length - tail.text.length;
  if (!fitsAt(head, text, 0, work) || !fitsAt(tail, text, end, work)) return false;
  let from = head.text.length;
  for (const piece of middle) {
    const at = piece.find(text, from, end, work);
    if (at === -1) return false;
    from = at + piece.text.length;
  }
  return true;
}

function fitsAt({ text: piece, holes }: Piece, text: string, at: number, work: MatchWork): boolean {
  if (holes === undefined) return text.startsWith(piece, at);
  work.steps += piece.length;
  for (let i = 0; i < piece.length; i++) {
    if (!holes[i] && piece.charCodeAt(i) !== text.charCodeAt(at + i)) return false;
  }
  return true;
}

function searchFor({ text: piece, holes }: Piece): SoughtPiece['find'] {
  if (holes === undefined) return searchLiteral(piece);
  // Question marks alone fit wherever there is room.
  if (holes.every(Boolean)) return (_text, from, end) => (from + piece.length <= end ? from : -1);
  return searchWithHoles(piece, holes);
}

/** Knuth-Morris-Pratt: after a mismatch the table tells how much of the piece has been seen already. */
function searchLiteral(piece: string): SoughtPiece['find'] {
  const borders = new Uint16Array(piece.length);
  for (let i = 1, seen = 0; i < piece.length; i++) {
    while (seen > 0 && piece.charCodeAt(i) !== piece.charCodeAt(seen)) seen = borders[seen - 1];
    if (piece.charCodeAt(i) === piece.charCodeAt(seen)) seen++;
    borders[i] = seen;
  }
  return (text, from, end, work) => {
    let seen = 0;
    for (let i = from; i < end; i++) {
      const character = text.charCodeAt(i);
      for (; seen > 0 && character !== piece.charCodeAt(seen); seen = borders[seen - 1]) work.steps++;
      work.steps++;
      if (character === piece.charCodeAt(seen)) seen++;
      if (seen === piece.length) return i + 1 - piece.length;
    }
    return -1;
  };
}

/** Finding the places of a character takes as long as some words. */
const LOOKUP_STEPS = 4;

/**
 * Shift-And: bit i of the state is set while the last i+1 characters fit the first i+1 of the piece. Of each character only the
 * words it stands in are kept: whole masks would take a piece of thousands of letters times its length, millions of bytes.
 */
function searchWithHoles(piece: string, holes: readonly boolean[]): SoughtPiece['find'] {
  const words = Math.ceil(piece.length / 32);
  const anyCharacter = new Uint32Array(words);
  for (let i = 0; i < piece.length; i++) if (holes[i]) anyCharacter[i >>> 5] |= 1 << (i & 31);
  const { starts, places } = placesOf(piece, holes);
  const lastWord = words - 1;
  const lastBit = 1 << ((piece.length - 1) & 31);
  return (text, from, end, work) => {
    const state = new Uint32Array(words);
    for (let i = from; i < end; i++) {
      let next = starts.get(text.charCodeAt(i)) ?? NOWHERE;
      let carry = 1;
      for (let word = 0; word < words; word++) {
        const shifted = (state[word] << 1) | carry;
        carry = state[word] >>> 31;
        let mask = anyCharacter[word];
        if (places[next] === word) {
          mask |= places[next + 1];
          next += 2;
        }
        state[word] = shifted & mask;
      }
      work.steps += LOOKUP_STEPS + words;
      if ((state[lastWord] & lastBit) !== 0) return i + 1 - piece.length;
    }
    return -1;
  };
}

/** Where nothing stands: an end. */
const NOWHERE = 0;

/**
 * Where each character of a piece stands, from `starts` of it on: word and bits, word and bits … in ascending order, and an end
 * that is no word.
 */
function placesOf(
  piece: string,
  holes: readonly boolean[],
): { readonly starts: ReadonlyMap<number, number>; readonly places: Int32Array } {
  const byCharacter = new Map<number, number[]>();
  for (let i = 0; i < piece.length; i++) {
    if (holes[i]) continue;
    const found = byCharacter.get(piece.charCodeAt(i)) ?? [];
    if (found.at(-2) === i >>> 5) found[found.length - 1] |= 1 << (i & 31);
    else found.push(i >>> 5, 1 << (i & 31));
    byCharacter.set(piece.charCodeAt(i), found);
  }
  const starts = new Map<number, number>();
  const places = [-1];
  for (const [character, found] of byCharacter) {
    starts.set(character, places.length);
    for (const one of found) places.push(one);
    places.push(-1);
  }
  return { starts, places: Int32Array.from(places) };
}
