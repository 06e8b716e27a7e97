import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { HeaderList } from '../headers/header-list.js';
import { decodeCorsConfiguration, encodeCorsConfiguration, type CorsRule } from './cors-configuration.js';
import { answerPreflight, crossOriginHeaders, parsePreflight } from './cors-match.js';

const code = (name: string) => expect.objectContaining({ code: name });
const document = (...rules: string[]): Buffer =>
  Buffer.from(`<CORSConfiguration>${rules.map((rule) => `<CORSRule>${rule}</CORSRule>`).join('')}</CORSConfiguration>`);
const GET = '<AllowedMethod>GET</AllowedMethod>';
const ANY = '<AllowedOrigin>*</AllowedOrigin>';
const decode = (...rules: string[]) => decodeCorsConfiguration(document(...rules));

function ruleOf(rule: Partial<CorsRule>): CorsRule {
  return { allowedHeaders: [], allowedMethods: ['GET'], allowedOrigins: ['*'], exposeHeaders: [], ...rule };
}

/** Lower-case name -> value. */
function record(flat: readonly string[]): Record<string, string> {
  const entries = flat.flatMap((name, index) =>
    index % 2 === 0 ? [[name.toLowerCase(), flat[index + 1]] as const] : [],
  );
  return Object.fromEntries(entries);
}

describe('the CORS configuration of a bucket', () => {
  it('is read and written again as it was', () => {
    const rules = decode(
      `<ID> one </ID><AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>*</AllowedHeader>${GET}<AllowedMethod>PUT</AllowedMethod>` +
        `<AllowedOrigin>http://a.example</AllowedOrigin><AllowedOrigin>https://*.b</AllowedOrigin>` +
        `<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds>`,
      `${ANY}<AllowedMethod>DELETE</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedMethod>POST</AllowedMethod>`,
    );
    expect(rules).toEqual([
      {
        id: 'one',
        allowedHeaders: ['x-amz-*', '*'],
        allowedMethods: ['GET', 'PUT'],
        allowedOrigins: ['http://a.example', 'https://*.b'],
        exposeHeaders: ['ETag'],
        maxAgeSeconds: 3000,
      },
      { allowedHeaders: [], allowedMethods: ['DELETE', 'HEAD', 'POST'], allowedOrigins: ['*'], exposeHeaders: [] },
    ]);
    expect(decodeCorsConfiguration(Buffer.from(encodeCorsConfiguration(rules)))).toEqual(rules);
  });

  it.each([
    ['no rule', document()],
    ['another root', Buffer.from('<Cors/>')],
    ['another element', Buffer.from('<CORSConfiguration><Rule/></CORSConfiguration>')],
    ['no method', document(ANY)],
    ['no origin', document(GET)],
    ['an empty origin', document(`${GET}<AllowedOrigin/>`)],
    ['an origin with a line break', document(`${GET}<AllowedOrigin>http://a&#13;&#10;b</AllowedOrigin>`)],
    ['an unknown field', document(`${GET}${ANY}<Other/>`)],
    ['two ages', document(`${GET}${ANY}<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>1</MaxAgeSeconds>`)],
    ['an age below zero', document(`${GET}${ANY}<MaxAgeSeconds>-1</MaxAgeSeconds>`)],
    ['an age beyond every age', document(`${GET}${ANY}<MaxAgeSeconds>2147483648</MaxAgeSeconds>`)],
    ['too many bytes', Buffer.concat([document(`${GET}${ANY}`), Buffer.alloc(64 * 1024, ' ')])],
  ])('%s: 400 MalformedXML', (_name, body) => {
    expect(() => decodeCorsConfiguration(body)).toThrow(code('MalformedXML'));
  });

  it.each([
    ['a method that S3 does not know', `<AllowedMethod>PATCH</AllowedMethod>${ANY}`],
    ['a method in another case', `<AllowedMethod>get</AllowedMethod>${ANY}`],
    ['two wildcards in an origin', `${GET}<AllowedOrigin>http://*.a.*</AllowedOrigin>`],
    ['two wildcards in a header', `${GET}${ANY}<AllowedHeader>*-*</AllowedHeader>`],
    ['a header that is none', `${GET}${ANY}<AllowedHeader>a b</AllowedHeader>`],
    ['a wildcard in an exposed header', `${GET}${ANY}<ExposeHeader>x-*</ExposeHeader>`],
    ['XE8: a line break in an exposed header', `${GET}${ANY}<ExposeHeader>a&#13;&#10;Set-Cookie: b</ExposeHeader>`],
    ['an ID that is too long', `${GET}${ANY}<ID>${'x'.repeat(256)}</ID>`],
  ])('%s: 400 InvalidRequest', (_name, rule) => {
    expect(() => decode(rule)).toThrow(code('InvalidRequest'));
  });

  it('has at most 100 rules, of different IDs', () => {
    const rule = `${GET}${ANY}`;
    expect(decode(...Array.from({ length: 100 }, () => rule))).toHaveLength(100);
    expect(() => decode(...Array.from({ length: 101 }, () => rule))).toThrow(code('InvalidRequest'));
    expect(() => decode(`${rule}<ID>a</ID>`, `${rule}<ID>a</ID>`)).toThrow(code('InvalidRequest'));
  });
});

describe('the answer to a request of another origin', () => {
  const answered = (rules: readonly CorsRule[], headers: Record<string, string>, method = 'GET') =>
    record(crossOriginHeaders(rules, HeaderList.from(headers), method));

  it.each([
    ['*suffix', 'foo.suffix', true],
    ['*suffix', 'foo.suffix.get', false],
    ['start*end', 'startend', true],
    ['start*end', 'start12end', true],
    ['start*end', '0start12end', false],
    ['start*tart', 'start', false],
    ['prefix*', 'prefix', true],
    ['prefix*', 'bla.prefix', false],
    ['http://a', 'http://a', true],
    ['http://a', 'http://A', false],
    ['http://a', 'http://a.b', false],
    ['null', 'null', true],
  ])('the pattern %s fits %s: %s', (pattern, origin, fits) => {
    const answer = answered([ruleOf({ allowedOrigins: [pattern] })], { origin });
    expect(answer['access-control-allow-origin']).toBe(fits ? origin : undefined);
    expect(answer['vary']).toBe('Origin, Access-Control-Request-Headers, Access-Control-Request-Method');
  });

  it('XE11: credentials are allowed to an origin that a rule names, never to one that only fits', () => {
    const named = answered([ruleOf({ allowedOrigins: ['http://a', '*'] })], { origin: 'http://a' });
    expect(named).toMatchObject({
      'access-control-allow-origin': 'http://a',
      'access-control-allow-credentials': 'true',
    });
    for (const pattern of ['*', 'http*', '*a', 'http://*']) {
      const fitting = answered([ruleOf({ allowedOrigins: [pattern] })], { origin: 'http://a' });
      expect(fitting['access-control-allow-origin']).toBe(pattern === '*' ? '*' : 'http://a');
      expect(fitting['access-control-allow-credentials']).toBeUndefined();
    }
    expect(answered([ruleOf({})], { origin: '*' })).not.toHaveProperty('access-control-allow-credentials');
  });

  it('the first rule that fits decides; only its one method is named, and its headers are shown', () => {
    const rules = [
      ruleOf({ allowedMethods: ['PUT'], allowedOrigins: ['*.put'] }),
      ruleOf({ allowedMethods: ['GET', 'HEAD'], exposeHeaders: ['ETag', 'x-amz-meta-a'] }),
    ];
    expect(answered(rules, { origin: 'a.put' }, 'PUT')).toMatchObject({ 'access-control-allow-methods': 'PUT' });
    expect(answered(rules, { origin: 'a' })).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET',
      'access-control-expose-headers': 'ETag, x-amz-meta-a',
    });
    expect(Object.keys(answered(rules, { origin: 'a' }, 'PUT'))).toEqual(['vary']);
  });

  it('Access-Control-Request-Method outweighs the method of the request', () => {
    const headers = { origin: 'a', 'access-control-request-method': 'GET' };
    expect(answered([ruleOf({})], headers, 'PUT')).toMatchObject({ 'access-control-allow-methods': 'GET' });
    const asked = { origin: 'a', 'access-control-request-method': 'PUT' };
    expect(Object.keys(answered([ruleOf({})], asked))).toEqual(['vary']);
  });

  it('without an origin nothing is added', () => {
    expect(crossOriginHeaders([ruleOf({})], HeaderList.from({}), 'GET')).toEqual([]);
  });
});

describe('a preflight', () => {
  const asked = (headers: Record<string, string>) => parsePreflight(HeaderList.from(headers));
  const preflight = (headers = '', origin = 'http://a', method = 'GET') =>
    asked({ origin, 'access-control-request-method': method, 'access-control-request-headers': headers });
  const answer = (rules: CorsRule[] | undefined, ...of: Parameters<typeof preflight>) =>
    record(answerPreflight(rules, preflight(...of), 'OBJECT'));

  it('without an origin or a method of S3: 400 BadRequest', () => {
    expect(() => asked({})).toThrow(code('BadRequest'));
    expect(() => asked({ origin: 'a' })).toThrow(code('BadRequest'));
    expect(() => asked({ origin: 'a', 'access-control-request-method': 'PATCH' })).toThrow(code('BadRequest'));
    expect(() => asked({ 'access-control-request-method': 'GET' })).toThrow(code('BadRequest'));
  });

  it('is told what the rule allows', () => {
    const rule = ruleOf({
      allowedHeaders: ['X-Amz-*', 'content-type'],
      allowedMethods: ['GET', 'PUT'],
      maxAgeSeconds: 5,
    });
    expect(answer([rule], 'x-amz-date, Content-Type')).toEqual({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'x-amz-date, content-type',
      'access-control-max-age': '5',
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    });
  });

  it('is refused with 403 AccessForbidden: no rules, an origin, a method or a header that no rule allows', () => {
    const rule = ruleOf({ allowedHeaders: ['x-a*'], allowedOrigins: ['http://a'] });
    expect(() => answer(undefined)).toThrow(code('AccessForbidden'));
    expect(() => answer([rule], '', 'http://b')).toThrow(code('AccessForbidden'));
    expect(() => answer([rule], '', 'http://a', 'PUT')).toThrow(code('AccessForbidden'));
    for (const headers of ['x-b', 'x-a, x-b', 'x-a b', `x-a${'1,x-a'.repeat(200)}`]) {
      expect(() => answer([rule], headers)).toThrow(code('AccessForbidden'));
    }
    expect(answer([rule], 'X-A, x-ab')).toMatchObject({ 'access-control-allow-headers': 'x-a, x-ab' });
  });

  it('the first rule that allows all of it decides', () => {
    const rules = [ruleOf({ maxAgeSeconds: 1 }), ruleOf({ allowedHeaders: ['*'], maxAgeSeconds: 2 })];
    expect(answer(rules, 'x-b')).toMatchObject({ 'access-control-max-age': '2' });
    expect(answer(rules)).toMatchObject({ 'access-control-max-age': '1' });
  });

  it('by chance: no answer has a line break, whatever the browser asks', () => {
    const rules = [ruleOf({ allowedHeaders: ['*'], allowedOrigins: ['*x', '*'] })];
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (origin, headers) => {
        try {
          const flat = answerPreflight(rules, preflight(headers, origin), 'BUCKET');
          expect(record(flat)['access-control-allow-headers'] ?? '').not.toMatch(/[\r\n\0]/);
        } catch (error) {
          expect(error).toMatchObject({ name: 'HoldfastError' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
