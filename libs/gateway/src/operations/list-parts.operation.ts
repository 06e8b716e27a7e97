import { LIMITS, type PartInfo } from '@holdfast/contracts';
import { encodeListParts, type UploadChecksum, type XmlOwner } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { ownerOf } from './bucket-owner.js';
import { countArgument, encodingTypeArgument, uploadIdArgument } from './request-arguments.js';
import { namedChecksums, uploadChecksumFrom } from './stored-checksums.js';
import { noSuchUpload, requireOwnUpload } from './upload-access.js';

interface ListPartsInput {
  readonly uploadId: string;
  readonly marker: number;
  readonly maxParts: number;
}

interface ListPartsOutput {
  readonly owner: XmlOwner;
  readonly storageClass: string;
  readonly initiatorArn: string;
  readonly checksum?: UploadChecksum;
  readonly parts: readonly PartInfo[];
  readonly truncated: boolean;
}

export const listParts = defineOperation<ListPartsInput, ListPartsOutput>({
  name: 'ListParts',
  decode({ request }) {
    const { query } = request.target;
    encodingTypeArgument(query);
    return {
      uploadId: uploadIdArgument(query),
      marker: countArgument(query, 'part-number-marker', LIMITS.partsMax, 0),
      maxParts: countArgument(query, 'max-parts', LIMITS.listPageMax),
    };
  },
  async handle({ uploadId, marker, maxParts }, exchange) {
    const { metadata, buckets } = exchange.services;
    const bucket = await buckets.current(exchange);
    const upload = await requireOwnUpload(exchange, bucket, uploadId);
    const page = await metadata.listParts(exchange.controlCall(), {
      bucketId: bucket.bucketId,
      key: exchange.key,
      uploadId,
      afterPart: marker,
      limit: maxParts,
    });
    if (!page.found) noSuchUpload(uploadId);
    const { attributes, initiatorArn } = upload;
    const checksum = uploadChecksumFrom(upload.checksum);
    const { parts, truncated } = page;
    const owner = await ownerOf(exchange, bucket);
    return { owner, storageClass: attributes.storageClass, initiatorArn, checksum, parts, truncated };
  },
  encode({ owner, storageClass, initiatorArn, checksum, parts, truncated }, exchange, { uploadId, marker, maxParts }) {
    const last = parts.at(-1);
    return xmlReply(
      encodeListParts({
        bucket: exchange.bucketName,
        key: exchange.key,
        uploadId,
        owner,
        initiator: initiatorOf(initiatorArn),
        storageClass,
        partNumberMarker: marker,
        maxParts,
        isTruncated: truncated,
        ...(checksum === undefined ? {} : { checksumAlgorithm: checksum.algorithm, checksumType: checksum.type }),
        ...(last === undefined ? {} : { nextPartNumberMarker: last.partNumber }),
        parts: parts.map(({ checksums, ...part }) => ({ ...part, checksums: namedChecksums(checksums) })),
      }),
    );
  },
});

/** The principal that began an upload, as S3 shows it. */
export function initiatorOf(initiatorArn: string): XmlOwner {
  return { id: initiatorArn, displayName: initiatorArn.slice(initiatorArn.lastIndexOf('/') + 1) };
}
