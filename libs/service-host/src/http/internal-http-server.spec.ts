import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Deadline } from '@holdfast/stdx';
import { HealthState } from '../health.js';
import { InternalAuthenticator } from '../internal-auth.js';
import { answerJson, beginBody, InternalHttpServer } from './internal-http-server.js';

const secret = Buffer.alloc(32, 3);
const path = '/units/1?copy=primary';
let server: InternalHttpServer;
let health: HealthState;
let port: number;
/** Bodies that a handler was given. */
let handled: string[];

beforeEach(async () => {
  handled = [];
  health = new HealthState();
  server = new InternalHttpServer({ host: '127.0.0.1', port: 0, auth: new InternalAuthenticator(secret), health });
  server.route('PUT', /^\/units\/(\d+)$/, async (request, response, call, match) => {
    let text = '';
    for await (const piece of beginBody(request, response)) text += String(piece);
    handled.push(text);
    answerJson(response, 200, { unit: match[1], requestId: call.requestId });
  });
  port = await server.listen();
});

afterEach(() => server.close());

type Headers = Record<string, string>;

function codedBy(auth: InternalAuthenticator, method: string, target: string): Headers {
  return auth.headers({ requestId: '0123456789ABCDEF', deadline: Deadline.in(5000) }, method, target);
}

/** Sends a body only when asked for it, as the data plane does. */
function send(method: string, target: string, headers: Headers = {}): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const expects = method === 'PUT' ? { expect: '100-continue', 'content-length': '5' } : {};
    const options = {
      host: '127.0.0.1',
      port,
      method,
      path: target,
      headers: { ...expects, ...headers },
      agent: false,
    };
    const request = httpRequest(options, (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }));
    });
    request.on('error', reject);
    request.on('continue', () => request.end('hello'));
    if (method === 'PUT') request.flushHeaders();
    else request.end();
  });
}

const refusal = { status: 401, body: expect.objectContaining({ code: 'Unauthenticated' }) };

describe('the data plane between services', () => {
  it('hands a request with the code of the cluster to its handler', async () => {
    const answer = await send('PUT', path, codedBy(new InternalAuthenticator(secret), 'PUT', path));
    expect(answer).toEqual({ status: 200, body: { unit: '1', requestId: '0123456789ABCDEF' } });
    expect(handled).toEqual(['hello']);
  });

  it.each<[string, () => Headers]>([
    ['no code', () => ({})],
    [
      'half of the headers',
      () => ({ ...codedBy(new InternalAuthenticator(secret), 'PUT', path), 'x-holdfast-code': '' }),
    ],
    ['a head that is none', () => ({ 'x-holdfast-call': 'x', 'x-holdfast-code': 'x' })],
    ['the code of another cluster', () => codedBy(new InternalAuthenticator(Buffer.alloc(32, 4)), 'PUT', path)],
    ['the code of another method', () => codedBy(new InternalAuthenticator(secret), 'GET', path)],
    ['the code of another path', () => codedBy(new InternalAuthenticator(secret), 'PUT', '/units/2?copy=primary')],
    ['the code of another query', () => codedBy(new InternalAuthenticator(secret), 'PUT', '/units/1?copy=secondary')],
  ])('refuses a request with %s; no handler sees it, and its body is not asked for', async (_what, headers) => {
    expect(await send('PUT', path, headers())).toEqual(refusal);
    expect(handled).toEqual([]);
  });

  it('takes a captured request once', async () => {
    const captured = codedBy(new InternalAuthenticator(secret), 'PUT', path);
    expect((await send('PUT', path, captured)).status).toBe(200);
    expect(await send('PUT', path, captured)).toEqual(refusal);
    expect(handled).toEqual(['hello']);
  });

  it('tells nobody without a code which routes there are', async () => {
    expect(await send('GET', '/nowhere')).toEqual(refusal);
    const auth = new InternalAuthenticator(secret);
    expect((await send('GET', '/nowhere', codedBy(auth, 'GET', '/nowhere'))).status).toBe(404);
  });

  it('answers liveness and readiness without a code', async () => {
    let reached = false;
    health.require('the database', () => reached);
    expect(await send('GET', '/health/live')).toEqual({ status: 200, body: { status: 'live' } });
    expect(await send('GET', '/health/ready')).toEqual({
      status: 503,
      body: { status: 'not ready', missing: ['the database'] },
    });
    reached = true;
    expect((await send('GET', '/health/ready')).status).toBe(200);
    health.drain();
    expect(await send('GET', '/health/ready')).toEqual({
      status: 503,
      body: { status: 'not ready', missing: ['draining'] },
    });
    expect((await send('GET', '/health/live')).status).toBe(200);
  });
});
