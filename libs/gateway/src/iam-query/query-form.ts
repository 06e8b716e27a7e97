import { HoldfastError } from '@holdfast/contracts';
import type { HeaderList } from '@holdfast/s3-protocol';
import type { BodySource } from '../pipeline/exchange.js';

/** The largest policy of a user fits in, percent-encoded. */
const FORM_BYTES_MAX = 20 * 1024;

/** True for the body of a query request, whatever its parameters. */
export function isQueryForm(headers: HeaderList): boolean {
  return /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(headers.get('content-type') ?? '');
}

/** The whole body. Errors: MaxMessageLengthExceeded, and those of the body. */
export async function readQueryForm(body: BodySource, headers: HeaderList): Promise<Buffer> {
  // What says that it is too long is not read.
  if (Number(headers.get('content-length') ?? 0) > FORM_BYTES_MAX) throw new HoldfastError('MaxMessageLengthExceeded');
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of body.chunks()) {
    sizeBytes += piece.length;
    if (sizeBytes > FORM_BYTES_MAX) throw new HoldfastError('MaxMessageLengthExceeded');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Parameters by name. Errors: InvalidArgument (an escape that is none, bytes that are no UTF-8, a name given twice). */
export function parseQueryForm(bytes: Buffer): Map<string, string> {
  const fields = new Map<string, string>();
  for (const pair of bytes.toString('latin1').split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = unescape(equals < 0 ? pair : pair.slice(0, equals));
    if (fields.has(name)) throw new HoldfastError('InvalidArgument', 'A parameter is given more than once.');
    fields.set(name, equals < 0 ? '' : unescape(pair.slice(equals + 1)));
  }
  return fields;
}

function unescape(text: string): string {
  if (/[^\x21-\x7e]/.test(text)) throw new HoldfastError('InvalidArgument', 'The form is not percent-encoded.');
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    throw new HoldfastError('InvalidArgument', 'The form is not percent-encoded UTF-8.', {}, { cause: error });
  }
}
