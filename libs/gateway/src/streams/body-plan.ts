import { HoldfastError } from '@holdfast/contracts';
import {
  parseContentMd5,
  requestedChecksum,
  type ChecksumAlgorithm,
  type HeaderList,
  type PayloadMode,
  type RequestedChecksum,
} from '@holdfast/s3-protocol';

/** What the headers say about a body, before a byte of it is read. */
export interface BodyPlan {
  /** Of the decoded body; with `sizeBytesMin`, the most that it may have. */
  readonly sizeBytes: number;
  /** Present where nobody said how long the body is: the file of a form. */
  readonly sizeBytesMin?: number;
  readonly payload: PayloadMode;
  readonly contentMd5?: Buffer;
  readonly checksum?: RequestedChecksum;
  /** Computed and kept where the client sent no checksum. */
  readonly computed?: ChecksumAlgorithm;
}

/** Lengths that a header names; anything but digits is no length. */
function lengthOf(headers: HeaderList, name: string): number | undefined {
  const text = headers.get(name);
  if (text === undefined) return undefined;
  const sizeBytes = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(sizeBytes)) {
    throw new HoldfastError('InvalidArgument', 'The length is not a number.', { ArgumentName: name });
  }
  return sizeBytes;
}

/** Errors of a plan that does not fit: MissingContentLength, EntityTooLarge, InvalidDigest, BadDigest, InvalidRequest. */
export function planBody(headers: HeaderList, payload: PayloadMode, maxBytes: number): BodyPlan {
  return { ...planUnchecked(headers, payload, maxBytes), checksum: requestedChecksum(headers) };
}

/** A body that may be absent: without a length and without chunks it is empty. */
export function planDocument(headers: HeaderList, payload: PayloadMode, maxBytes: number): BodyPlan {
  return { ...planDocumentAboutObject(headers, payload, maxBytes), checksum: requestedChecksum(headers) };
}

/** The same where a checksum among the headers is that of an object which the document is about. */
export function planDocumentAboutObject(headers: HeaderList, payload: PayloadMode, maxBytes: number): BodyPlan {
  const absent = !headers.has('content-length') && !headers.has('transfer-encoding') && payload.kind !== 'chunked';
  if (absent) return { sizeBytes: 0, payload, contentMd5: parseContentMd5(headers) };
  try {
    return planUnchecked(headers, payload, maxBytes);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'EntityTooLarge') {
      throw new HoldfastError('MaxMessageLengthExceeded', undefined, error.details);
    }
    throw error;
  }
}

function planUnchecked(headers: HeaderList, payload: PayloadMode, maxBytes: number): BodyPlan {
  const sizeBytes =
    payload.kind === 'chunked'
      ? lengthOf(headers, 'x-amz-decoded-content-length')
      : lengthOf(headers, 'content-length');
  if (sizeBytes === undefined) throw new HoldfastError('MissingContentLength');
  if (sizeBytes > maxBytes) {
    throw new HoldfastError('EntityTooLarge', undefined, {
      ProposedSize: String(sizeBytes),
      MaxSizeAllowed: String(maxBytes),
    });
  }
  return { sizeBytes, payload, contentMd5: parseContentMd5(headers) };
}
