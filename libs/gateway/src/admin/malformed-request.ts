import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { problemText } from './problem-filter.js';

/** What Node's parser and its clock say, by status. */
const STATUSES: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** For bytes that are no request: the answer is written by hand, and the connection ends with it. */
export function refuseMalformedRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Node keeps the answer that is under way here: bytes written by hand would land in the middle of it.
  const { _httpMessage: answer } = socket as { _httpMessage?: ServerResponse };
  if (!socket.writable || answer?.headersSent === true) return void socket.destroy();
  const status = STATUSES[error.code ?? ''] ?? 400;
  const body = problemText(status);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
