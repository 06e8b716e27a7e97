import { defineOperation } from '../pipeline/operation.js';
import type { Reply } from '../pipeline/reply.js';
import { objectBytes } from '../streams/object-bytes.js';
import {
  decodeObjectRead,
  findObject,
  objectReadAccess,
  tagCountHeader,
  type FoundObject,
  type ObjectReadInput,
} from './object-lookup.js';
import { checksumHeaders, objectHeaders, stateHeaders } from './object-reply-headers.js';
import type { Exchange } from '../pipeline/exchange.js';

const ASK_METADATA_STEP = 5;
const ASK_DATA_STEP = 7;

export const getObject = defineOperation<ObjectReadInput, FoundObject>({
  name: 'GetObject',
  access: objectReadAccess,
  decode: decodeObjectRead,
  handle(input, exchange) {
    exchange.step(ASK_METADATA_STEP);
    return findObject(input, exchange);
  },
  encode(found, exchange, input) {
    if (found.notModified) return { status: 304, headers: stateHeaders(found.bucket, found.version) };
    return { ...objectHead(found, input, exchange), body: bodyOf(found, exchange) };
  },
});

export const headObject = defineOperation<ObjectReadInput, FoundObject>({
  name: 'HeadObject',
  access: objectReadAccess,
  decode: decodeObjectRead,
  handle: findObject,
  encode(found, exchange, input) {
    if (found.notModified) return { status: 304, headers: stateHeaders(found.bucket, found.version) };
    return { ...objectHead(found, input, exchange), headLengthBytes: sizeOf(found) };
  },
});

function objectHead(found: FoundObject, input: ObjectReadInput, exchange: Exchange): Reply {
  const { bucket, version, range, part } = found;
  // A checksum of the whole beside some of the bytes would only fail its verification.
  const withWhole = input.withChecksums && range === undefined && part === undefined;
  const headers = objectHeaders(bucket, version, input.overrides, withWhole);
  if (part !== undefined) {
    if (part.partsCount !== undefined) headers.push('x-amz-mp-parts-count', String(part.partsCount));
    if (input.withChecksums) headers.push(...checksumHeaders(part.checksums));
  }
  headers.push(...tagCountHeader(version, exchange));
  // No Content-Range can name the place of an empty part.
  if (range !== undefined) headers.push('Content-Range', `bytes ${range.first}-${range.last}/${version.sizeBytes}`);
  const isWhole = range === undefined && (part === undefined || version.sizeBytes === 0);
  return { status: isWhole ? 200 : 206, headers };
}

function sizeOf({ version, range, part }: FoundObject): number {
  if (range !== undefined) return range.last - range.first + 1;
  return part === undefined ? version.sizeBytes : 0;
}

function bodyOf(found: FoundObject, exchange: Exchange): Reply['body'] {
  const sizeBytes = sizeOf(found);
  if (sizeBytes === 0) return '';
  const range = found.range ?? { first: 0, last: found.version.sizeBytes - 1 };
  return {
    sizeBytes,
    open: () => {
      exchange.step(ASK_DATA_STEP);
      return objectBytes(exchange, found.bucket, found.version, range);
    },
  };
}
