import { encodeCopyResult, parseCopyRange, type CopyRange, type CopySource } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { storeCopy } from '../streams/copied-body.js';
import type { StoredBody } from '../streams/object-write.js';
import {
  bytesToCopy,
  copyAccess,
  decodeCopySource,
  findSource,
  sourceVersionHeader,
  type FoundSource,
} from './copy-source.js';
import { commitPart } from './part-commit.js';
import { partNumberArgument, uploadIdArgument } from './request-arguments.js';
import { namedChecksums, uploadChecksumFrom } from './stored-checksums.js';
import { refuseUnservedFeatures } from './unserved-features.js';
import { requireOwnUpload } from './upload-access.js';

interface CopyPartInput {
  readonly uploadId: string;
  readonly partNumber: number;
  readonly source: CopySource;
  readonly range?: CopyRange;
}

interface CopyPartOutput {
  readonly found: FoundSource;
  readonly stored: StoredBody;
  readonly lastModifiedMs: number;
}

export const uploadPartCopy = defineOperation<CopyPartInput, CopyPartOutput>({
  name: 'UploadPartCopy',
  access: (request, row) => copyAccess(request, row.action),
  decode({ request }) {
    const { query } = request.target;
    refuseUnservedFeatures(request.headers);
    return {
      uploadId: uploadIdArgument(query),
      partNumber: partNumberArgument(query),
      source: decodeCopySource(request),
      range: parseCopyRange(request.headers),
    };
  },
  async handle({ uploadId, partNumber, source, range }, exchange) {
    const bucket = await exchange.services.buckets.hinted(exchange);
    const { attributes, checksum } = await requireOwnUpload(exchange, bucket, uploadId);
    const found = await findSource(exchange, source);
    const algorithm = uploadChecksumFrom(checksum)?.algorithm;
    const { storageClass } = attributes;
    const bytes = { ...found, ...bytesToCopy(found, range) };
    const stored = await storeCopy(exchange, { bucket, storageClass }, bytes, algorithm);
    const lastModifiedMs = await commitPart(exchange, bucket, { uploadId, partNumber, stored });
    return { found, stored, lastModifiedMs };
  },
  encode({ found, stored, lastModifiedMs }) {
    const checksums = namedChecksums(stored.checksums);
    const document = encodeCopyResult('CopyPartResult', { etag: stored.md5Hex, lastModifiedMs, checksums });
    return xmlReply(document, 200, sourceVersionHeader(found));
  },
});
