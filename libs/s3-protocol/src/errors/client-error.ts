import { HoldfastError, isHoldfastError, type ErrorName } from '@holdfast/contracts';
import { xmlDocument, xmlElement } from '../xml/xml-writer.js';

/** What a client sees of errors that only have a meaning inside the cluster. */
const OUTSIDE: Partial<Record<ErrorName, ErrorName>> = {
  StaleEpoch: 'ServiceUnavailable',
  MarginLost: 'ServiceUnavailable',
  LateWrite: 'ServiceUnavailable',
  DeviceFull: 'SlowDown',
  DeviceDead: 'ServiceUnavailable',
  MetadataDamaged: 'ServiceUnavailable',
  UnitExists: 'InternalError',
  UnitDamaged: 'ServiceUnavailable',
  DataUnreadable: 'InternalError',
  ForeignDatabase: 'InternalError',
  Unauthenticated: 'InternalError',
  SchemaViolation: 'InternalError',
};

const ELEMENT_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
/** Elements of the document itself: a detail of the same name would contradict them. */
const OWN_ELEMENTS = new Set(['Code', 'Message', 'Resource', 'RequestId', 'HostId']);

/**
 * The error that a client may see. Errors of the table that name something inside the cluster, and everything that is no
 * error of the table, keep neither message nor details; the original is the `cause`, for the log.
 */
export function toClientError(error: unknown): HoldfastError {
  if (!isHoldfastError(error)) return new HoldfastError('InternalError', undefined, {}, { cause: error });
  const outside = OUTSIDE[error.code];
  return outside === undefined ? error : new HoldfastError(outside, undefined, {}, { cause: error });
}

export interface ErrorReply {
  readonly status: number;
  readonly code: ErrorName;
  /** The XML document; empty for 304, which has no body. An answer to HEAD leaves it out as well. */
  readonly body: string;
}

export interface ErrorContext {
  /** Bucket and key as the client named them: `/bucket/key`. */
  readonly resource: string;
  /** Equal to the x-amz-request-id header. */
  readonly requestId: string;
  readonly hostId?: string;
}

/** The answer to any throwable. Never throws, and tells nothing of what it does not know. */
export function encodeError(error: unknown, context: ErrorContext): ErrorReply {
  const shown = toClientError(error);
  if (shown.status === 304) return { status: 304, code: shown.code, body: '' };
  const details = Object.entries(shown.details).filter(([name]) => ELEMENT_NAME.test(name) && !OWN_ELEMENTS.has(name));
  const body = xmlDocument(
    'Error',
    [
      xmlElement('Code', shown.code),
      xmlElement('Message', shown.message),
      ...details.map(([name, value]) => xmlElement(name, value)),
      xmlElement('Resource', context.resource),
      xmlElement('RequestId', context.requestId),
      context.hostId === undefined ? undefined : xmlElement('HostId', context.hostId),
    ],
    '',
  );
  return { status: shown.status, code: shown.code, body };
}
