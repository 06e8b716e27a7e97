/**
 * The part of the query that Signature Version 2 covers. All else in the query can be changed by whoever holds the URL,
 * as on AWS (the prefix of a listing, for one); what would turn the request into another operation is refused here.
 */
import { HoldfastError } from '@holdfast/contracts';
import { S3_OPERATIONS } from '../operations/operation-table.js';
import type { QueryParameters } from '../target/query-parameters.js';

/** As the AWS documentation lists them, with the later ones that the SDKs sign. */
const SIGNED_PARAMETERS: ReadonlySet<string> = new Set([
  ...['accelerate', 'acl', 'analytics', 'cors', 'defaultObjectAcl', 'delete', 'inventory', 'lifecycle', 'location'],
  ...['logging', 'metrics', 'notification', 'object-lock', 'partNumber', 'policy', 'replication', 'requestPayment'],
  ...['restore', 'select', 'select-type', 'storageClass', 'tagging', 'torrent', 'uploadId', 'uploads', 'versionId'],
  ...['versioning', 'versions', 'website'],
  ...['response-cache-control', 'response-content-disposition', 'response-content-encoding'],
  ...['response-content-language', 'response-content-type', 'response-expires'],
]);

/** `list-type` chooses between two forms of the same answer, for which the same permission is asked. */
const HARMLESS_CHOICES = new Set(['list-type']);

/** Parameters by which an operation is chosen and which the signature does not cover. */
const UNSIGNED_CHOICES: ReadonlySet<string> = new Set(
  S3_OPERATIONS.flatMap((row) => Object.keys(row.query ?? {})).filter(
    (name) => !SIGNED_PARAMETERS.has(name) && !HARMLESS_CHOICES.has(name),
  ),
);

/** @throws HoldfastError AccessDenied */
export function refuseUnsignedChoice(query: QueryParameters): void {
  for (const { name } of query.pairs) {
    if (!UNSIGNED_CHOICES.has(name)) continue;
    throw new HoldfastError('AccessDenied', `Signature Version 2 does not cover the parameter ${name}.`);
  }
}

/**
 * The path as sent (that of a bucket with its last slash, sent or not), and the signed parameters in the order of their names, decoded. A byte string.
 * @throws HoldfastError AccessDenied (a value that reads like further signed parameters)
 */
export function canonicalResourceV2(rawPath: string, query: QueryParameters): string {
  const path = rawPath !== '/' && !rawPath.includes('/', 1) ? `${rawPath}/` : rawPath;
  const signed = query.pairs.filter(({ name }) => SIGNED_PARAMETERS.has(name));
  if (signed.length === 0) return path;
  for (const { value } of signed) refuseHiddenParameter(value);
  // Stable: parameters of one name stay in the order in which they came.
  signed.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const text = signed.map(({ name, value }) => (value === '' ? name : `${name}=${value}`)).join('&');
  return `${path}?${Buffer.from(text).toString('latin1')}`;
}

/**
 * Values are signed decoded, so `response-expires=x%26versionId=1` has the signature of two parameters. Accepted, it would
 * let the holder of a URL for one version read another.
 */
function refuseHiddenParameter(value: string): void {
  const [, ...further] = value.split('&');
  for (const piece of further) {
    const equals = piece.indexOf('=');
    if (!SIGNED_PARAMETERS.has(equals < 0 ? piece : piece.slice(0, equals))) continue;
    throw new HoldfastError('AccessDenied', 'A signed parameter holds another one.');
  }
}
