import { createHmac, createSecretKey, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Deadline, systemClock, type Clock } from '@holdfast/stdx';
import { HoldfastError, SEED_FLOWS, type CallContext, type FlowName } from '@holdfast/contracts';

/** A message older or younger than this is refused, and its nonce is remembered for as long. */
const WINDOW_MS = 60_000;
const FLOWS = Object.keys(SEED_FLOWS) as FlowName[];

/** Remembers what was seen in the last one to two windows. */
class NonceMemory {
  private current = new Set<string>();
  private previous = new Set<string>();
  private turnedAtMs = 0;

  /** False when `nonce` was seen before. */
  admit(nonce: string, nowMs: number): boolean {
    if (nowMs - this.turnedAtMs > WINDOW_MS) {
      this.previous = this.current;
      this.current = new Set();
      this.turnedAtMs = nowMs;
    }
    if (this.current.has(nonce) || this.previous.has(nonce)) return false;
    this.current.add(nonce);
    return true;
  }
}

/** What the head of an internal message says beside its body; every field is under the code. */
export interface MessageHead {
  readonly sentAtMs: number;
  readonly nonce: string;
  readonly leftMs: number;
  readonly requestId: string;
  readonly flow: string;
}

/** A request of a client that a load balancer has passed on. */
export interface EdgeCall extends CallContext {
  readonly clientAddress: string;
  /** Of the client, as `connectionName` says; empty where the load balancer did not say it. */
  readonly connection: string;
}

/**
 * Authenticates every call between the services of one cluster with a secret that was made at its first start. The code binds
 * direction, name (pattern, or method and path), time, nonce, call and body, so a captured call serves no other method and
 * is not taken twice.
 */
export class InternalAuthenticator {
  private readonly seen = new NonceMemory();
  private counter = 0;
  private readonly origin = randomBytes(9).toString('base64url');
  /** A key object: with a plain Buffer each code would pay for importing the key. */
  private readonly key: KeyObject;

  /** `secret`: at least 32 bytes. A service without one refuses to start. */
  constructor(
    secret: Buffer,
    private readonly clock: Clock = systemClock,
  ) {
    if (secret.length < 32)
      throw new Error('the cluster secret must have at least 32 bytes: set HOLDFAST_CLUSTER_SECRET');
    this.key = createSecretKey(createHmac('sha256', secret).update('holdfast internal calls, version 1').digest());
  }

  head(call: CallContext): MessageHead {
    this.counter += 1;
    return {
      sentAtMs: this.clock.nowMs(),
      nonce: `${this.origin}${this.counter.toString(36)}`,
      leftMs: Math.ceil(call.deadline.leftMs()),
      requestId: call.requestId,
      flow: call.flow ?? '',
    };
  }

  code(direction: 'call' | 'answer' | 'http', name: string, head: MessageHead, body: string): string {
    const text = `${direction}\n${name}\n${head.sentAtMs}\n${head.nonce}\n${head.leftMs}\n${head.requestId}\n${head.flow}\n${body}`;
    return createHmac('sha256', this.key).update(text).digest('base64url');
  }

  /** Errors: Unauthenticated (wrong code, too old, seen before). */
  accept(direction: 'call' | 'http', name: string, head: MessageHead, body: string, code: string): CallContext {
    if (!this.matches(code, this.code(direction, name, head, body))) throw new HoldfastError('Unauthenticated');
    const nowMs = this.clock.nowMs();
    if (Math.abs(nowMs - head.sentAtMs) > WINDOW_MS || !this.seen.admit(head.nonce, nowMs))
      throw new HoldfastError('Unauthenticated');
    const flow = FLOWS.find((name) => name === head.flow);
    const call = { requestId: head.requestId, deadline: Deadline.in(head.leftMs, this.clock) };
    return flow === undefined ? call : { ...call, flow };
  }

  matches(given: string, expected: string): boolean {
    const a = Buffer.from(given);
    const b = Buffer.from(expected);
    return a.length === b.length && timingSafeEqual(a, b);
  }

  /** Headers that authenticate a client's request which a load balancer passes on, with where it came from. */
  edgeHeaders(
    call: CallContext,
    method: string,
    path: string,
    clientAddress: string,
    connection = '',
  ): Record<string, string> {
    const head = this.head(call);
    const client = connection === '' ? clientAddress : `${clientAddress} ${connection}`;
    return {
      'x-holdfast-call': headText(head),
      'x-holdfast-client': client,
      'x-holdfast-code': this.code('http', `${method} ${path}`, head, client),
    };
  }

  /** The other side of `edgeHeaders`. Errors: Unauthenticated. */
  acceptEdge(method: string, path: string, headers: IncomingHttpHeaders): EdgeCall {
    const client = headers['x-holdfast-client'];
    if (typeof client !== 'string') throw new HoldfastError('Unauthenticated');
    const call = this.acceptHead(method, path, headers, client);
    const [clientAddress, connection = ''] = client.split(' ');
    return { ...call, clientAddress, connection };
  }

  /** Headers that authenticate one HTTP request of the data plane. The body is covered by the unit's own checksums. */
  headers(call: CallContext, method: string, path: string): Record<string, string> {
    const head = this.head(call);
    return {
      'x-holdfast-call': headText(head),
      'x-holdfast-code': this.code('http', `${method} ${path}`, head, ''),
    };
  }

  /** Errors: Unauthenticated. */
  acceptHttp(method: string, path: string, headers: IncomingHttpHeaders): CallContext {
    return this.acceptHead(method, path, headers, '');
  }

  private acceptHead(method: string, path: string, headers: IncomingHttpHeaders, body: string): CallContext {
    const text = headers['x-holdfast-call'];
    const code = headers['x-holdfast-code'];
    if (typeof text !== 'string' || typeof code !== 'string') throw new HoldfastError('Unauthenticated');
    const [sentAt, nonce = '', left, requestId = '', flow = ''] = text.split(' ');
    const head = { sentAtMs: Number(sentAt), nonce, leftMs: Number(left), requestId, flow };
    if (!Number.isSafeInteger(head.sentAtMs) || !Number.isSafeInteger(head.leftMs))
      throw new HoldfastError('Unauthenticated');
    return this.accept('http', `${method} ${path}`, head, body, code);
  }
}

function headText(head: MessageHead): string {
  return `${head.sentAtMs} ${head.nonce} ${head.leftMs} ${head.requestId} ${head.flow}`;
}
