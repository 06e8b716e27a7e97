import { HoldfastError } from '@holdfast/contracts';
import { defineOperation } from '../pipeline/operation.js';
import type { Reply } from '../pipeline/reply.js';
import { objectBytes } from './object-bytes.js';
import {
  decodeObjectRead,
  findObject,
  objectReadAccess,
  type FoundObject,
  type ObjectReadInput,
} from './object-lookup.js';
import { objectHeaders, stateHeaders } from './object-reply-headers.js';
import type { Exchange } from '../pipeline/exchange.js';

const ASK_METADATA_STEP = 5;
const ASK_DATA_STEP = 7;

export const getObject = defineOperation<ObjectReadInput, FoundObject>({
  name: 'GetObject',
  access: objectReadAccess,
  decode(exchange) {
    const input = decodeObjectRead(exchange);
    if (Object.keys(input.overrides).length > 0 && exchange.caller.kind === 'anonymous') {
      throw new HoldfastError(
        'InvalidRequest',
        'Request specific response headers cannot be used for anonymous requests.',
      );
    }
    return input;
  },
  handle(input, exchange) {
    exchange.step(ASK_METADATA_STEP);
    return findObject(input, exchange);
  },
  encode(found, exchange, input) {
    if (found.notModified) return { status: 304, headers: stateHeaders(found.bucket, found.version) };
    return { ...objectHead(found, input), body: bodyOf(found, exchange) };
  },
});

export const headObject = defineOperation<ObjectReadInput, FoundObject>({
  name: 'HeadObject',
  access: objectReadAccess,
  decode: decodeObjectRead,
  handle: findObject,
  encode(found, _exchange, input) {
    if (found.notModified) return { status: 304, headers: stateHeaders(found.bucket, found.version) };
    return { ...objectHead(found, input), headLengthBytes: sizeOf(found) };
  },
});

function objectHead(found: FoundObject, input: ObjectReadInput): Reply {
  const { bucket, version, range } = found;
  // A checksum of the whole beside a part of the bytes would only fail its verification.
  const headers = objectHeaders(bucket, version, input.overrides, input.withChecksums && range === undefined);
  if (range === undefined) return { status: 200, headers };
  headers.push('Content-Range', `bytes ${range.first}-${range.last}/${version.sizeBytes}`);
  return { status: 206, headers };
}

function sizeOf({ version, range }: FoundObject): number {
  return range === undefined ? version.sizeBytes : range.last - range.first + 1;
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
