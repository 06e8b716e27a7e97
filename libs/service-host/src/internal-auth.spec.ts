import { describe, expect, it } from '@jest/globals';
import { Deadline, ManualClock } from '@holdfast/stdx';
import { InternalAuthenticator } from './internal-auth.js';

const secret = Buffer.alloc(32, 3);
const clock = new ManualClock();
const call = { requestId: '0123456789ABCDEF', deadline: Deadline.in(5000, clock), flow: 'object-creation' as const };

describe('internal authentication', () => {
  it('gives the receiver the request, its flow and the time left', () => {
    const accepted = new InternalAuthenticator(secret, clock).acceptHttp(
      'PUT',
      '/units/1',
      new InternalAuthenticator(secret, clock).headers(call, 'PUT', '/units/1'),
    );
    expect([accepted.requestId, accepted.flow, accepted.deadline.leftMs()]).toEqual([
      '0123456789ABCDEF',
      'object-creation',
      5000,
    ]);
  });

  it('refuses another secret, another method, another path and a changed head', () => {
    const receiver = new InternalAuthenticator(secret, clock);
    const sender = new InternalAuthenticator(secret, clock);
    const refused = { code: 'Unauthenticated' };
    const fails = (run: () => unknown): unknown => {
      try {
        return run();
      } catch (error) {
        return error;
      }
    };
    expect(
      fails(() =>
        receiver.acceptHttp(
          'PUT',
          '/a',
          new InternalAuthenticator(Buffer.alloc(32, 4), clock).headers(call, 'PUT', '/a'),
        ),
      ),
    ).toMatchObject(refused);
    expect(fails(() => receiver.acceptHttp('GET', '/a', sender.headers(call, 'PUT', '/a')))).toMatchObject(refused);
    expect(fails(() => receiver.acceptHttp('PUT', '/a/../b', sender.headers(call, 'PUT', '/a')))).toMatchObject(
      refused,
    );
    const headers = sender.headers(call, 'PUT', '/a');
    expect(
      fails(() =>
        receiver.acceptHttp('PUT', '/a', {
          ...headers,
          'x-holdfast-call': headers['x-holdfast-call'].replace('0123456789ABCDEF', 'FFFFFFFFFFFFFFFF'),
        }),
      ),
    ).toMatchObject(refused);
    expect(fails(() => receiver.acceptHttp('PUT', '/a', {}))).toMatchObject(refused);
  });

  it('takes a call once, and none that is older than a minute', () => {
    const receiver = new InternalAuthenticator(secret, clock);
    const sender = new InternalAuthenticator(secret, clock);
    const headers = sender.headers(call, 'PUT', '/a');
    receiver.acceptHttp('PUT', '/a', headers);
    expect(() => receiver.acceptHttp('PUT', '/a', headers)).toThrow();
    const old = sender.headers(call, 'PUT', '/a');
    clock.advance(61_000);
    expect(() => receiver.acceptHttp('PUT', '/a', old)).toThrow();
  });

  it('does not exist without a secret of 32 bytes', () => {
    expect(() => new InternalAuthenticator(Buffer.alloc(31))).toThrow(/HOLDFAST_CLUSTER_SECRET/);
  });
});
