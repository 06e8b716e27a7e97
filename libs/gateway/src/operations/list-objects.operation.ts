import { LIMITS, type ObjectList } from '@holdfast/contracts';
import {
  CHECKSUM_ALGORITHMS,
  encodeListBucketV1,
  encodeListBucketV2,
  type ListedObject,
  type XmlOwner,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { ownerOf } from './bucket-owner.js';
import { decodeListPosition, encodeListPosition, type ListPosition } from './list-position.codec.js';
import { decodePage, markerPosition, type ListPage } from './list-page.js';
import { invalidArgument, textArgument } from './request-arguments.js';

/** What both versions of the listing read. */
interface ListInput extends ListPage {
  readonly position?: ListPosition;
}

interface ListV1Input extends ListInput {
  readonly marker: string;
}

interface ListV2Input extends ListInput {
  readonly continuationToken?: string;
  readonly startAfter?: string;
  readonly fetchOwner: boolean;
}

export const listObjects = defineOperation<ListV1Input, OwnedList>({
  name: 'ListObjects',
  decode(exchange) {
    const page = decodePage(exchange);
    const marker = textArgument(exchange.request.target.query, 'marker', LIMITS.keyBytesMax);
    return { ...page, marker, ...(marker === '' ? {} : { position: markerPosition(marker, page) }) };
  },
  handle: readPage,
  encode(list, exchange, input) {
    const next = list.truncated ? lastPosition(list) : undefined;
    return xmlReply(
      encodeListBucketV1({
        ...pageOf(list, input, exchange, true),
        marker: input.marker,
        // S3 sends it only with a delimiter; without one the last key is the marker.
        ...(next === undefined || input.delimiter === '' ? {} : { nextMarker: nextMarker(next) }),
      }),
    );
  },
});

export const listObjectsV2 = defineOperation<ListV2Input, OwnedList>({
  name: 'ListObjectsV2',
  decode(exchange) {
    const { query } = exchange.request.target;
    const page = decodePage(exchange);
    const continuationToken = query.get('continuation-token');
    const startAfter = query.has('start-after') ? textArgument(query, 'start-after', LIMITS.keyBytesMax) : undefined;
    const fetchOwner = query.get('fetch-owner') ?? 'false';
    if (!['true', 'false', ''].includes(fetchOwner)) invalidArgument('fetch-owner', fetchOwner);
    let position: ListPosition | undefined;
    if (continuationToken !== undefined && continuationToken !== '') position = decodeListPosition(continuationToken);
    else if (startAfter !== undefined && startAfter !== '') position = { kind: 'key', afterKey: startAfter };
    return {
      ...page,
      fetchOwner: fetchOwner === 'true',
      ...(continuationToken === undefined ? {} : { continuationToken }),
      ...(startAfter === undefined ? {} : { startAfter }),
      ...(position === undefined ? {} : { position }),
    };
  },
  handle: readPage,
  encode(list, exchange, input) {
    const next = list.truncated ? lastPosition(list) : undefined;
    const { continuationToken, startAfter } = input;
    return xmlReply(
      encodeListBucketV2({
        ...pageOf(list, input, exchange, input.fetchOwner),
        ...(continuationToken === undefined ? {} : { continuationToken }),
        ...(startAfter === undefined ? {} : { startAfter }),
        ...(next === undefined ? {} : { nextContinuationToken: encodeListPosition(next) }),
      }),
    );
  },
});

type OwnedList = ObjectList & { readonly owner: XmlOwner };

/** The answer brings the bucket: its owner is checked before anything of the page is shown. */
async function readPage(input: ListInput, exchange: Exchange): Promise<OwnedList> {
  const { metadata, buckets } = exchange.services;
  const { position } = input;
  const list = await metadata.listObjects(exchange.controlCall(), {
    bucketName: exchange.bucketName,
    prefix: input.prefix,
    delimiter: input.delimiter,
    limit: input.maxKeys,
    ...(position?.kind === 'key' ? { afterKey: position.afterKey } : {}),
    ...(position?.kind === 'prefix' ? { afterPrefix: position.afterPrefix } : {}),
  });
  const owner = await ownerOf(exchange, await buckets.check(exchange, list.bucket));
  // Asked for nothing, a page is complete: there is no last key to go on from.
  return input.maxKeys === 0 ? { ...list, owner, entries: [], truncated: false } : { ...list, owner };
}

function pageOf(list: OwnedList, input: ListInput, exchange: Exchange, withOwner: boolean) {
  const owner = withOwner ? { owner: list.owner } : {};
  const objects: ListedObject[] = [];
  const commonPrefixes: string[] = [];
  for (const entry of list.entries) {
    if (entry.kind === 'prefix') commonPrefixes.push(entry.prefix);
    else {
      const { checksumAlgorithms, ...object } = entry.object;
      const algorithm = CHECKSUM_ALGORITHMS.find((name) => checksumAlgorithms.includes(name.toLowerCase()));
      objects.push({ ...object, ...owner, ...(algorithm === undefined ? {} : { checksumAlgorithm: algorithm }) });
    }
  }
  return {
    bucket: exchange.bucketName,
    prefix: input.prefix,
    delimiter: input.delimiter,
    maxKeys: input.maxKeys,
    urlEncoded: input.urlEncoded,
    isTruncated: list.truncated,
    objects,
    commonPrefixes,
  };
}

function lastPosition(list: ObjectList): ListPosition | undefined {
  const last = list.entries.at(-1);
  if (last === undefined) return undefined;
  return last.kind === 'prefix'
    ? { kind: 'prefix', afterPrefix: last.prefix }
    : { kind: 'key', afterKey: last.object.key };
}

function nextMarker(position: ListPosition): string {
  return position.kind === 'prefix' ? position.afterPrefix : position.afterKey;
}
