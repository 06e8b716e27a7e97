import { describe, expect, it } from '@jest/globals';
import { ERRORS, HoldfastError, type ErrorName } from '@holdfast/contracts';
import { encodeError, toClientError } from './client-error.js';

const context = { resource: '/bucket/a&b', requestId: 'R1' };

describe('encodeError', () => {
  it('writes code, message, details, resource and request id', () => {
    const reply = encodeError(new HoldfastError('NoSuchKey', undefined, { Key: 'a&b' }), context);
    expect(reply.status).toBe(404);
    expect(reply.code).toBe('NoSuchKey');
    expect(reply.body).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>' +
        '<Message>The specified key does not exist.</Message><Key>a&amp;b</Key>' +
        '<Resource>/bucket/a&amp;b</Resource><RequestId>R1</RequestId></Error>',
    );
  });

  it('adds the host id when there is one', () => {
    expect(encodeError(new HoldfastError('NoSuchKey'), { ...context, hostId: 'H' }).body).toContain(
      '<HostId>H</HostId>',
    );
  });

  it.each([
    new Error('secret at /var/lib/thing'),
    new TypeError('secret'),
    'secret',
    undefined,
    null,
    { code: 'AccessDenied', message: 'secret', status: 403, details: { secret: 'secret' } },
  ])('an unknown throwable is a bare InternalError: %p', (thrown) => {
    const reply = encodeError(thrown, context);
    expect(reply.status).toBe(500);
    expect(reply.code).toBe('InternalError');
    expect(reply.body).not.toContain('secret');
    expect(toClientError(thrown).cause).toBe(thrown);
  });

  it.each([
    ['StaleEpoch', 'ServiceUnavailable'],
    ['MarginLost', 'ServiceUnavailable'],
    ['LateWrite', 'ServiceUnavailable'],
    ['DeviceFull', 'SlowDown'],
    ['DeviceDead', 'ServiceUnavailable'],
    ['UnitDamaged', 'ServiceUnavailable'],
    ['UnitExists', 'InternalError'],
    ['DataUnreadable', 'InternalError'],
    ['ForeignDatabase', 'InternalError'],
    ['Unauthenticated', 'InternalError'],
    ['SchemaViolation', 'InternalError'],
  ] as const)('%s is shown as %s, without its message and details', (inside, outside) => {
    const reply = encodeError(new HoldfastError(inside, 'device d-17', { Device: 'd-17' }), context);
    expect(reply.code).toBe(outside);
    expect(reply.status).toBe(ERRORS[outside].status);
    expect(reply.body).toContain(ERRORS[outside].message);
    expect(reply.body).not.toContain('d-17');
  });

  it('no other code changes', () => {
    const changed = (Object.keys(ERRORS) as ErrorName[]).filter(
      (name) => toClientError(new HoldfastError(name)).code !== name,
    );
    expect(changed).toHaveLength(12);
  });

  it('304 has no body', () => {
    expect(encodeError(new HoldfastError('NotModified'), context)).toEqual({
      status: 304,
      code: 'NotModified',
      body: '',
    });
  });

  it('a detail cannot break the document nor contradict it', () => {
    const details = { 'a><x>': 'v', RequestId: 'other', Code: 'x', Header: 'a\u0001<b>' };
    const { body } = encodeError(new HoldfastError('InvalidRequest', 'm', details), context);
    expect(body).not.toContain('<x>');
    expect(body.match(/<RequestId>/g)).toHaveLength(1);
    expect(body.match(/<Code>/g)).toHaveLength(1);
    expect(body).toContain('<Header>a&#x1;&lt;b&gt;</Header>');
  });
});
