// Which pages may see an answer: an origin is named exactly when a rule allows it, and told of credentials only when by its letters.
import { answerPreflight, crossOriginHeaders, HeaderList, parsePreflight } from '@holdfast/s3-protocol';
import { mutated } from '../mutations.mjs';
import { expectSame } from '../trial.mjs';

const patterns = [
  '*',
  'http://a',
  'https://*.a.test',
  'http://*',
  '*.test',
  'null',
  'https://a.test',
  'http://a*b',
  '*a',
];
const origins = [
  ...patterns,
  'http://b',
  'https://x.a.test',
  'https://.a.test',
  'https://a.test.evil',
  'http://ab',
  'http://a*b',
  'HTTP://A',
];
const methods = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'PATCH', 'get', ''];
const headerNames = ['x-amz-date', 'x-a', 'authorization', 'content-type', '', 'x-\u00e9', '*', 'X-A'];
const tokens = ['*', '.', '/', ':', ',', ' ', '\t', 'a', 'null', '\u00e9', '\u007f', 'x-', 'x'.repeat(500)];

const rule = (draw) => ({
  allowedOrigins: [draw.of(patterns), ...draw.several(2, () => draw.of(patterns))],
  allowedMethods: [draw.of(methods.slice(0, 5)), ...draw.several(2, () => draw.of(methods.slice(0, 5)))],
  allowedHeaders: draw.several(2, () => draw.of(['*', 'x-*', 'authorization', '*-type'])),
  exposeHeaders: draw.several(2, () => draw.of(['ETag', 'x-amz-meta-a'])),
});

const fits = (pattern, text) =>
  new RegExp(
    `^${pattern
      .split('*')
      .map((piece) => piece.replace(/[.+?^${}()|[\]\\/]/g, '\\$&'))
      .join('.*')}$`,
    's',
  ).test(text);
const named = (flat, name) => flat.find((_, at) => at % 2 === 1 && flat[at - 1] === name);

function expectAllowed(rules, origin, method, flat, what) {
  const allowing = rules.find(
    ({ allowedOrigins, allowedMethods }) =>
      allowedMethods.includes(method) && allowedOrigins.some((pattern) => fits(pattern, origin)),
  );
  const shown = named(flat, 'Access-Control-Allow-Origin');
  if (shown === undefined) return;
  expectSame(shown === '*' || shown === origin, true, `the origin of ${what}`);
  expectSame(
    rules.some(({ allowedOrigins }) => allowedOrigins.some((pattern) => fits(pattern, origin))),
    true,
    `a rule for ${what}`,
  );
  const credentials = named(flat, 'Access-Control-Allow-Credentials') !== undefined;
  if (credentials)
    expectSame(
      [shown, rules.some(({ allowedOrigins }) => allowedOrigins.includes(origin))],
      [origin, true],
      `credentials of ${what}`,
    );
  if (allowing === undefined) expectSame(shown, undefined, `an origin without a rule: ${what}`);
}

export const crossOrigin = {
  name: 'cors',
  share: 6,
  subject: crossOriginHeaders,
  planted: {
    'every origin is told that credentials are allowed': (rules, headers, method) => {
      const flat = crossOriginHeaders(rules, headers, method);
      return flat.includes('Access-Control-Allow-Origin')
        ? [...flat, 'Access-Control-Allow-Credentials', 'true']
        : flat;
    },
    'a pattern is looked for anywhere in the origin': (rules, headers, method) => {
      const origin = headers.get('origin') ?? '';
      const loose = rules.map((one) => ({
        ...one,
        allowedOrigins: one.allowedOrigins.map((pattern) => (origin.includes(pattern) ? origin : pattern)),
      }));
      return crossOriginHeaders(loose, headers, method);
    },
  },
  trial(draw, trial, answer) {
    const rules = [rule(draw), ...draw.several(2, () => rule(draw))];
    const origin = draw.chance(0.5) ? draw.of(origins) : mutated(draw.of(origins), draw, tokens, 2000);
    const method = draw.of(methods);
    const asked = draw.several(3, () => draw.of(headerNames)).join(',');
    const flat = [
      'origin',
      origin,
      ...(draw.chance(0.5) ? ['access-control-request-method', method, 'access-control-request-headers', asked] : []),
    ];
    const headers = new HeaderList(flat);
    const what = JSON.stringify({ rules, flat });
    const own = draw.of(methods.slice(0, 5));
    const { value } = trial.outcome(() => answer(rules, headers, own));
    expectAllowed(rules, origin, headers.get('access-control-request-method') ?? own, value ?? [], what);
    const { value: preflight } = trial.outcome(() => parsePreflight(headers));
    if (preflight === undefined) return;
    const { value: allowed } = trial.outcome(() => answerPreflight(rules, preflight, 'OBJECT'));
    expectAllowed(rules, origin, method, allowed ?? [], what);
  },
};
