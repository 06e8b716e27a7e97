import { isId, LIMITS, type UploadPage } from '@holdfast/contracts';
import { encodeListMultipartUploads, type XmlOwner } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { ownerOf } from './bucket-owner.js';
import { markerPosition } from './list-page.js';
import { initiatorOf } from './list-parts.operation.js';
import { countArgument, encodingTypeArgument, textArgument } from './request-arguments.js';
import { uploadChecksumFrom } from './stored-checksums.js';

interface ListUploadsInput {
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly maxUploads: number;
  readonly urlEncoded: boolean;
}

/** Longer than any id of ours; what is no id of ours comes after no upload. */
const UPLOAD_ID_MARKER_BYTES_MAX = 1024;

export const listMultipartUploads = defineOperation<ListUploadsInput, UploadPage & { readonly owner: XmlOwner }>({
  name: 'ListMultipartUploads',
  decode({ request }) {
    const { query } = request.target;
    return {
      prefix: textArgument(query, 'prefix', LIMITS.keyBytesMax),
      delimiter: textArgument(query, 'delimiter', LIMITS.keyBytesMax),
      keyMarker: textArgument(query, 'key-marker', LIMITS.keyBytesMax),
      uploadIdMarker: textArgument(query, 'upload-id-marker', UPLOAD_ID_MARKER_BYTES_MAX),
      maxUploads: countArgument(query, 'max-uploads', LIMITS.listPageMax),
      urlEncoded: encodingTypeArgument(query),
    };
  },
  async handle(input, exchange) {
    const { metadata, buckets } = exchange.services;
    const bucket = await buckets.current(exchange);
    const { bucketId } = bucket;
    const page = await metadata.listUploads(exchange.controlCall(), {
      bucketId,
      prefix: input.prefix,
      delimiter: input.delimiter,
      limit: input.maxUploads,
      ...placeAfter(input),
    });
    return { ...page, owner: await ownerOf(exchange, bucket) };
  },
  encode(page, exchange, input) {
    const { owner } = page;
    const { bucketName } = exchange;
    const uploads = page.entries.flatMap((entry) => {
      if (entry.kind === 'prefix') return [];
      const { checksum, createdAtMs, initiatorArn, ...upload } = entry.upload;
      const checked = uploadChecksumFrom(checksum);
      const checksums =
        checked === undefined ? {} : { checksumAlgorithm: checked.algorithm, checksumType: checked.type };
      return [{ ...upload, ...checksums, owner, initiator: initiatorOf(initiatorArn), initiatedAtMs: createdAtMs }];
    });
    const commonPrefixes = page.entries.flatMap((entry) => (entry.kind === 'prefix' ? [entry.prefix] : []));
    const next = page.truncated ? nextMarkers(page) : {};
    const { truncated: isTruncated } = page;
    return xmlReply(
      encodeListMultipartUploads({ ...input, ...next, bucket: bucketName, isTruncated, uploads, commonPrefixes }),
    );
  },
});

/** The id marker counts beside a key marker only. */
function placeAfter(input: ListUploadsInput): { afterKey?: string; afterUploadId?: string; afterPrefix?: string } {
  const { keyMarker, uploadIdMarker } = input;
  if (keyMarker === '') return {};
  if (isId(uploadIdMarker)) return { afterKey: keyMarker, afterUploadId: uploadIdMarker };
  const position = markerPosition(keyMarker, input);
  return position.kind === 'prefix' ? { afterPrefix: position.afterPrefix } : { afterKey: position.afterKey };
}

function nextMarkers({ entries }: UploadPage): { nextKeyMarker?: string; nextUploadIdMarker?: string } {
  const last = entries.at(-1);
  if (last === undefined) return {};
  if (last.kind === 'prefix') return { nextKeyMarker: last.prefix };
  return { nextKeyMarker: last.upload.key, nextUploadIdMarker: last.upload.uploadId };
}
