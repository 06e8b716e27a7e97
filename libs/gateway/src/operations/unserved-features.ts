import { HoldfastError } from '@holdfast/contracts';
import type { HeaderList } from '@holdfast/s3-protocol';

/** Headers that ask for something that is not served yet. Ignoring one would store an object unlike what was asked for. */
const UNSERVED_PREFIXES: readonly (readonly [prefix: string, feature: string])[] = [
  ['x-amz-server-side-encryption', 'Server-side encryption'],
  ['x-amz-copy-source-server-side-encryption', 'Server-side encryption'],
  ['x-amz-object-lock-', 'Object lock'],
  ['x-amz-grant-', 'Granting by ACL headers'],
  ['x-amz-website-redirect-location', 'Website redirects'],
  ['x-amz-write-offset-bytes', 'Appending'],
  ['x-amz-if-match-', 'Deleting on size or time'],
];

const ACCEPTED_ACLS = new Set(['private', 'bucket-owner-full-control']);
const KNOWN_ACLS = new Set([
  ...['public-read', 'public-read-write', 'authenticated-read', 'aws-exec-read', 'bucket-owner-read'],
  'log-delivery-write',
]);
const STORAGE_CLASSES = new Set(['STANDARD', 'REDUCED_REDUNDANCY']);

/**
 * @param served beginnings of names that this operation does serve
 * @throws HoldfastError NotImplemented by the feature's name, InvalidArgument (an ACL that does not exist)
 */
export function refuseUnservedFeatures(headers: HeaderList, ...served: readonly string[]): void {
  for (const name of headers.names()) {
    if (!name.startsWith('x-amz-')) continue;
    for (const [prefix, feature] of UNSERVED_PREFIXES) {
      if (name.startsWith(prefix) && !served.includes(prefix)) {
        throw new HoldfastError('NotImplemented', `${feature} is not implemented.`, { Header: name });
      }
    }
  }
  const lock = headers.get('x-amz-bucket-object-lock-enabled');
  if (lock !== undefined && lock.toLowerCase() !== 'false') {
    throw new HoldfastError('NotImplemented', 'Object lock is not implemented.', {
      Header: 'x-amz-bucket-object-lock-enabled',
    });
  }
  refuseAcl(headers.get('x-amz-acl'));
}

function refuseAcl(acl: string | undefined): void {
  if (acl === undefined || ACCEPTED_ACLS.has(acl)) return;
  if (KNOWN_ACLS.has(acl)) {
    throw new HoldfastError('NotImplemented', `The ACL ${acl} is not implemented.`, { Header: 'x-amz-acl' });
  }
  throw new HoldfastError('InvalidArgument', 'The ACL is not a canned ACL.', { ArgumentName: 'x-amz-acl' });
}

/** The class to store under. @throws HoldfastError InvalidStorageClass */
export function storageClassOf(headers: HeaderList): string {
  const given = headers.get('x-amz-storage-class') ?? 'STANDARD';
  if (!STORAGE_CLASSES.has(given)) throw new HoldfastError('InvalidStorageClass');
  return given;
}
