import { HoldfastError, isHoldfastError, ERRORS, type CallContext, type ErrorName } from '@holdfast/contracts';
import type { InternalAuthenticator, MessageHead } from '../internal-auth.js';

/*
 * A frame of the control plane (decision 0006): what @nestjs/microservices puts on its TCP socket, made here.
 *   call    { pattern, id, head: {sentAtMs, nonce, leftMs, requestId, flow}, traceparent, body: JSON text, code }
 *   answer  { id, isDisposed: true, head, body: JSON text, code }
 * `code` is the authentication code over direction, pattern and id, head and body. Nest's own packets are never trusted.
 */
export interface CallFrame {
  readonly pattern: string;
  readonly id: string;
  readonly head: MessageHead;
  readonly traceparent: string;
  readonly body: string;
  readonly code: string;
}

export interface AnswerFrame {
  readonly id: string;
  readonly isDisposed: true;
  readonly head: MessageHead;
  readonly body: string;
  readonly code: string;
}

/** What a handler of the server side is given: an authenticated call, or the reason why it is none. */
export type ReceivedCall =
  { readonly call: CallContext; readonly body: unknown } | { readonly rejected: HoldfastError };

/** What travels back: the encoded output, or an error by its name. */
export type AnswerBody =
  { ok: unknown } | { error: { code: ErrorName; message: string; details: Readonly<Record<string, string>> } };

export function answerOfError(error: unknown): AnswerBody {
  const known = isHoldfastError(error) ? error : new HoldfastError('InternalError');
  return { error: { code: known.code, message: known.message, details: known.details } };
}

export function errorOfAnswer(error: {
  code: string;
  message: string;
  details?: Record<string, string>;
}): HoldfastError {
  const code = Object.hasOwn(ERRORS, error.code) ? (error.code as ErrorName) : 'InternalError';
  return new HoldfastError(code, error.message, error.details ?? {});
}

/** 16-byte trace id and 8-byte span id made from the request id, for tools that speak W3C trace context. */
function traceparentOf(requestId: string): string {
  const hex = requestId
    .toLowerCase()
    .replace(/[^0-9a-f]/g, '0')
    .padStart(16, '0')
    .slice(0, 16);
  return `00-${hex.padStart(32, '0')}-${hex}-01`;
}

export function callFrame(
  auth: InternalAuthenticator,
  pattern: string,
  id: string,
  call: CallContext,
  body: unknown,
): CallFrame {
  const head = auth.head(call);
  const text = JSON.stringify(body);
  return {
    pattern,
    id,
    head,
    traceparent: traceparentOf(call.requestId),
    body: text,
    code: auth.code('call', `${pattern}#${id}`, head, text),
  };
}

export function receiveCall(auth: InternalAuthenticator, frame: CallFrame): ReceivedCall {
  try {
    const call = auth.accept('call', `${frame.pattern}#${frame.id}`, frame.head, frame.body, frame.code);
    return { call, body: JSON.parse(frame.body) as unknown };
  } catch (error) {
    return { rejected: isHoldfastError(error) ? error : new HoldfastError('Unauthenticated') };
  }
}

export function answerFrame(auth: InternalAuthenticator, id: string, body: AnswerBody): AnswerFrame {
  const head = { sentAtMs: Date.now(), nonce: '', leftMs: 0, requestId: '', flow: '' };
  const text = JSON.stringify(body);
  return { id, isDisposed: true, head, body: text, code: auth.code('answer', id, head, text) };
}

/** Errors: Unauthenticated (the answerer does not know the cluster's secret). */
export function receiveAnswer(auth: InternalAuthenticator, frame: AnswerFrame): AnswerBody {
  const expected = auth.code('answer', frame.id, frame.head, frame.body);
  if (!auth.matches(frame.code, expected))
    throw new HoldfastError('Unauthenticated', 'the answer carries no valid authentication code');
  return JSON.parse(frame.body) as AnswerBody;
}
