import { HoldfastError, isId, LIMITS, NULL_VERSION } from '@holdfast/contracts';
import type { HeaderList, QueryParameters } from '@holdfast/s3-protocol';

/** @throws HoldfastError InvalidArgument naming the parameter */
export function invalidArgument(argumentName: string, value: string, message = 'The argument is not valid.'): never {
  throw new HoldfastError('InvalidArgument', message, {
    ArgumentName: argumentName,
    ArgumentValue: value.slice(0, 128),
  });
}

/** A count such as `max-keys`: digits only; more than `max` means `max`. */
export function countArgument(query: QueryParameters, name: string, max: number, fallback = max): number {
  const text = query.get(name);
  if (text === undefined || text === '') return fallback;
  if (!/^\d{1,10}$/.test(text) || Number(text) > 2 ** 31 - 1) invalidArgument(name, text);
  return Math.min(Number(text), max);
}

/** Text that is compared with keys or names. Longer than any key, or with a NUL, it is a mistake. */
export function textArgument(query: QueryParameters, name: string, maxBytes: number): string {
  const text = query.get(name) ?? '';
  if (text.includes('\0') || Buffer.byteLength(text) > maxBytes) invalidArgument(name, text);
  return text;
}

/** `null`, a version id, or undefined for the current version. */
export function versionArgument(query: QueryParameters): string | undefined {
  const text = query.get('versionId');
  if (text === undefined) return undefined;
  if (!isVersionName(text)) invalidArgument('versionId', text, 'Invalid version id specified');
  return text;
}

export function isVersionName(text: string): boolean {
  return text === NULL_VERSION || isId(text);
}

/** An id that cannot be one of ours names no upload. @throws HoldfastError NoSuchUpload */
export function uploadIdArgument(query: QueryParameters): string {
  const text = query.get('uploadId') ?? '';
  if (!isId(text)) throw new HoldfastError('NoSuchUpload', undefined, { UploadId: text.slice(0, 128) });
  return text;
}

/** @throws HoldfastError InvalidArgument */
export function partNumberArgument(query: QueryParameters): number {
  const text = query.get('partNumber') ?? '';
  const partNumber = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (partNumber >= 1 && partNumber <= LIMITS.partsMax) return partNumber;
  const message = `Part number must be an integer between 1 and ${LIMITS.partsMax}, inclusive`;
  return invalidArgument('partNumber', text, message);
}

/** @throws HoldfastError InvalidArgument */
export function encodingTypeArgument(query: QueryParameters): boolean {
  const text = query.get('encoding-type');
  if (text === undefined || text === '') return false;
  if (text.toLowerCase() !== 'url')
    invalidArgument('encoding-type', text, 'Invalid Encoding Method specified in Request');
  return true;
}

/** A number of bytes in a header, or undefined without it. @throws HoldfastError InvalidArgument */
export function sizeHeader(headers: HeaderList, name: string): number | undefined {
  const text = headers.get(name);
  if (text === undefined) return undefined;
  const sizeBytes = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : invalidArgument(name, text);
}

/** True when the caller asked for the stored checksums. */
export function wantsChecksums(headers: HeaderList): boolean {
  return headers.get('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED';
}
