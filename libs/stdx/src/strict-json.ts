/** Half of a character outside the basic plane: no encoding to UTF-8 keeps it. */
export const LONE_SURROGATE = /\p{Cs}/u;

/** No document of ours comes near; what walks or writes a value may then do it by recursion. */
export const JSON_DEPTH_MAX = 64;

export type StrictJson =
  | { readonly value: unknown }
  | { readonly problem: string; /** The name that stands twice. */ readonly repeated?: string };

/**
 * JSON in which no object names a member twice (of two `Condition` elements JSON.parse would keep one, and another reader the
 * other), and which is not nested deeper than `JSON_DEPTH_MAX`.
 */
export function parseStrictJson(text: string): StrictJson {
  if (LONE_SURROGATE.test(text)) return { problem: 'expected well-formed Unicode' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `expected JSON (${error instanceof Error ? error.message : 'unreadable'})` };
  }
  return faultIn(text) ?? { value };
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** Of text that is known to be JSON: a name that an object has twice, or too deep a nesting. */
function faultIn(text: string): StrictJson | undefined {
  /** The names so far of each open object; undefined for an open array. */
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const names = open.at(-1);
      const name = JSON.parse(last) as string;
      if (names?.has(name)) return { problem: 'this name stands twice in one object', repeated: name };
      names?.add(name);
    }
    if (open.length > JSON_DEPTH_MAX) return { problem: `expected at most ${JSON_DEPTH_MAX} levels of nesting` };
    last = token;
  }
  return undefined;
}
