import { LIMITS, type PartInfo } from '@holdfast/contracts';
import { CHECKSUM_ALGORITHMS, encodeListParts, type ChecksumAlgorithm } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { countArgument, encodingTypeArgument, uploadIdArgument } from './request-arguments.js';
import { noSuchUpload, requireOwnUpload } from './upload-access.js';

interface ListPartsInput {
  readonly uploadId: string;
  readonly marker: number;
  readonly maxParts: number;
}

interface ListPartsOutput {
  readonly storageClass: string;
  readonly initiatorArn: string;
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
    return { storageClass: attributes.storageClass, initiatorArn, parts: page.parts, truncated: page.truncated };
  },
  encode({ storageClass, initiatorArn, parts, truncated }, exchange, { uploadId, marker, maxParts }) {
    const { canonicalId, displayName } = exchange.caller;
    const last = parts.at(-1);
    return xmlReply(
      encodeListParts({
        bucket: exchange.bucketName,
        key: exchange.key,
        uploadId,
        owner: { id: canonicalId, displayName },
        initiator: { id: initiatorArn, displayName: initiatorArn.slice(initiatorArn.lastIndexOf('/') + 1) },
        storageClass,
        partNumberMarker: marker,
        maxParts,
        isTruncated: truncated,
        ...(last === undefined ? {} : { nextPartNumberMarker: last.partNumber }),
        parts: parts.map(({ checksums, ...part }) => ({ ...part, checksums: namedChecksums(checksums) })),
      }),
    );
  },
});

function namedChecksums(stored: Readonly<Record<string, string>>): Partial<Record<ChecksumAlgorithm, string>> {
  const named: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = stored[algorithm.toLowerCase()];
    if (value !== undefined) named[algorithm] = value;
  }
  return named;
}
