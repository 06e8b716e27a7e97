import { HoldfastError } from '@holdfast/contracts';

/** What a part of a form says of itself. */
export interface PartHead {
  readonly name: string;
  /** As sent, a path where old browsers send one. Every part may have one: the name alone tells which is the file. */
  readonly fileName?: string;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/;
/** Of a quoted value, backslashes hide quotes and themselves; any other one is a character (paths of Windows). */
const PARAMETER = /^;[ \t]*([!#$&+.^_`|~0-9A-Za-z-]+\*?)=(?:"((?:[^"\\]|\\[\s\S])*)"|([^\s;"]*))[ \t]*/;
const FORM_DATA = /^form-data[ \t]*/i;
const HEADERS_MAX = 16;

/**
 * The boundary that Content-Type names.
 * @throws HoldfastError MalformedPOSTRequest
 */
export function boundaryOf(contentType: string): string {
  let rest = contentType.replace(/^multipart\/form-data[ \t]*/i, '');
  let boundary: string | undefined;
  while (rest !== '') {
    const match = PARAMETER.exec(rest);
    if (match === null) throw new HoldfastError('MalformedPOSTRequest');
    if (match[1].toLowerCase() === 'boundary') {
      if (boundary !== undefined) throw new HoldfastError('MalformedPOSTRequest');
      boundary = match[2] ?? match[3];
    }
    rest = rest.slice(match[0].length);
  }
  if (boundary === undefined || !/^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/.test(boundary)) {
    throw new HoldfastError('MalformedPOSTRequest');
  }
  return boundary;
}

/** @throws HoldfastError MalformedPOSTRequest */
export function parsePartHead(head: Buffer): PartHead {
  const lines = decodeUtf8(head).split('\r\n');
  if (lines.length > HEADERS_MAX) throw new HoldfastError('MalformedPOSTRequest');
  let disposition: string | undefined;
  for (const line of lines) {
    const match = HEADER_LINE.exec(line);
    if (match === null || /[\r\n\0]/.test(line)) throw new HoldfastError('MalformedPOSTRequest');
    if (match[1].toLowerCase() !== 'content-disposition') continue;
    if (disposition !== undefined) throw new HoldfastError('MalformedPOSTRequest');
    disposition = match[2];
  }
  return parseDisposition(disposition ?? '');
}

function parseDisposition(disposition: string): PartHead {
  const type = FORM_DATA.exec(disposition);
  if (type === null) throw new HoldfastError('MalformedPOSTRequest');
  let rest = disposition.slice(type[0].length);
  const values = new Map<string, string>();
  while (rest !== '') {
    const match = PARAMETER.exec(rest);
    const name = match?.[1].toLowerCase();
    if (match === null || name === undefined || values.has(name)) throw new HoldfastError('MalformedPOSTRequest');
    values.set(name, match[2] === undefined ? match[3] : match[2].replace(/\\(["\\])/g, '$1'));
    rest = rest.slice(match[0].length);
  }
  const name = values.get('name');
  if (name === undefined || name === '') throw new HoldfastError('MalformedPOSTRequest');
  const fileName = values.get('filename');
  return fileName === undefined ? { name } : { name, fileName };
}

/** @throws HoldfastError MalformedPOSTRequest */
export function decodeUtf8(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new HoldfastError('MalformedPOSTRequest', undefined, {}, { cause });
  }
}
