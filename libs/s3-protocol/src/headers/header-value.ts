/**
 * Header values are byte strings (one character, one byte of the wire). Parameters of a query are texts: where one stands
 * for a header, its value has to become what that header would have been.
 */
import { HoldfastError } from '@holdfast/contracts';

const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export function isHeaderName(lowerName: string): boolean {
  return HEADER_NAME.test(lowerName);
}

/** The bytes of a text in UTF-8. */
export function headerValueOf(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that a value is in UTF-8; undefined for bytes that are none. */
export function textOfHeader(value: string): string | undefined {
  if (/^[\x20-\x7e]*$/.test(value)) return value;
  try {
    return UTF8.decode(Buffer.from(value, 'latin1'));
  } catch {
    return undefined;
  }
}

/**
 * A control character would split the header section of an answer, or make it one that cannot be sent: such a value is
 * refused where it enters.
 * @throws HoldfastError InvalidArgument
 */
export function refuseControlCharacters(headerName: string, value: string): void {
  if (HEADER_VALUE.test(value)) return;
  throw new HoldfastError('InvalidArgument', 'A header value must not contain control characters.', {
    ArgumentName: headerName,
  });
}

/** Spaces and tabs alone: `trim` would also take the byte A0, which ends UTF-8 characters such as à. */
export function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value[start])) start += 1;
  while (end > start && isBlank(value[end - 1])) end -= 1;
  return value.slice(start, end);
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\t';
}
