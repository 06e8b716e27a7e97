import type { RequestContext } from './request-context.js';
import {
  matchTokens,
  parsePolicyText,
  PolicyTextMatcher,
  resolve,
  type Match,
  type PolicyText,
} from './policy-text.js';
import type { PatternToken } from './wildcard.js';

const COMPONENTS = 6;

/**
 * arn:partition:service:region:account:resource with wildcards. Each of the six is matched alone: a wildcard does not reach
 * across a colon, or a key such as `x:::public/y` could pass for one in another bucket.
 */
export class ArnPattern {
  /** Where the first five are plain text, the whole can be matched as one: only the last can differ in its colons. */
  private readonly whole: PolicyTextMatcher | undefined;

  private constructor(private readonly text: PolicyText) {
    this.whole = hasPlainHead(text) ? new PolicyTextMatcher(text) : undefined;
  }

  /** @returns undefined when a variable is malformed or the text has too few components */
  static parse(text: string, variables: boolean): ArnPattern | undefined {
    const parsed = parsePolicyText(text, { variables, wildcards: true });
    if (parsed === undefined) return undefined;
    // A variable may stand for a whole ARN; anything else has its components in sight.
    if (!parsed.hasVariables && splitTokens(parsed.parts as PatternToken[]) === undefined) return undefined;
    return new ArnPattern(parsed);
  }

  match(arn: string, context: RequestContext): Match {
    if (this.whole !== undefined) return this.whole.match(arn, context);
    const tokens = resolve(this.text, context);
    if (typeof tokens === 'string') return tokens;
    const patterns = splitTokens(tokens);
    const components = splitArn(arn);
    if (patterns === undefined || components === undefined) return 'no';
    return components.every((component, index) => matchTokens(patterns[index], component, context)) ? 'yes' : 'no';
  }
}

function hasPlainHead({ parts }: PolicyText): boolean {
  const [head] = parts;
  return typeof head === 'string' && head.split(':').length >= COMPONENTS;
}

/** @returns undefined for what is no ARN */
export function splitArn(arn: string): string[] | undefined {
  const parts = arn.split(':');
  if (parts.length < COMPONENTS || parts[0] !== 'arn') return undefined;
  return [...parts.slice(0, COMPONENTS - 1), parts.slice(COMPONENTS - 1).join(':')];
}

function splitTokens(tokens: readonly PatternToken[]): PatternToken[][] | undefined {
  const components: PatternToken[][] = [[]];
  for (const token of tokens) {
    if (typeof token !== 'string') {
      components[components.length - 1].push(token);
      continue;
    }
    let rest = token;
    for (let colon = rest.indexOf(':'); colon !== -1 && components.length < COMPONENTS; colon = rest.indexOf(':')) {
      components[components.length - 1].push(rest.slice(0, colon));
      components.push([]);
      rest = rest.slice(colon + 1);
    }
    components[components.length - 1].push(rest);
  }
  return components.length === COMPONENTS ? components : undefined;
}
