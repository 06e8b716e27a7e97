import type { HoldfastError } from '@holdfast/contracts';

/** Flat: name, value, name, value … Values are byte strings. */
export type ReplyHeaders = readonly string[];

export interface StreamedBody {
  readonly sizeBytes: number;
  open(): AsyncIterable<Buffer>;
}

/** What an operation answers. Request id, host id, date, server and length are added when it is written. */
export interface Reply {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly body?: string | StreamedBody;
  /** Of the body that a HEAD does not carry. */
  readonly headLengthBytes?: number;
}

const XML: ReplyHeaders = ['Content-Type', 'application/xml'];

export function xmlReply(body: string, status = 200, headers: ReplyHeaders = []): Reply {
  return { status, headers: [...XML, ...headers], body };
}

export function emptyReply(status: number, headers: ReplyHeaders = []): Reply {
  return { status, headers };
}

/** An error whose answer carries headers of its own. */
export class RefusalWithHeaders extends Error {
  constructor(
    readonly refusal: HoldfastError,
    readonly headers: ReplyHeaders,
  ) {
    super(refusal.message);
    this.name = 'RefusalWithHeaders';
  }
}
