import { HoldfastError } from '@holdfast/contracts';
import { assert } from '@holdfast/stdx';
import { announcedTrailers } from '../checksums/requested-checksum.js';
import type { HeaderList } from '../headers/header-list.js';
import type { PayloadMode } from '../sigv4/payload.js';
import type { ChunkSigning } from '../sigv4/signature.js';
import type { AwsChunkedOptions } from './aws-chunked-decoder.js';

/** Trailers beyond those of checksums mean nothing to S3. */
const TRAILER_NAMES_MAX = 4;

/**
 * What the headers say about a framed body.
 * @param signing present exactly when `mode.signed`
 * @throws HoldfastError MissingContentLength (no x-amz-decoded-content-length), InvalidArgument, InvalidRequest
 */
export function awsChunkedOptions(
  mode: PayloadMode & { kind: 'chunked' },
  headers: HeaderList,
  signing: ChunkSigning | undefined,
): AwsChunkedOptions {
  assert(mode.signed === (signing !== undefined), 'signed chunks and their key come together');
  const lengths = headers.getAll('x-amz-decoded-content-length');
  if (lengths.length === 0) throw new HoldfastError('MissingContentLength');
  // 16 digits would pass 2^53; 15 are a hundred times the largest object.
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0])) {
    throw new HoldfastError('InvalidArgument', 'x-amz-decoded-content-length must be one number.', {
      ArgumentName: 'x-amz-decoded-content-length',
    });
  }
  const trailerNames = announcedTrailers(headers);
  const distinct = new Set(trailerNames).size === trailerNames.length;
  if (!distinct || trailerNames.length > TRAILER_NAMES_MAX) {
    throw new HoldfastError('InvalidRequest', 'The value specified in the x-amz-trailer header is not supported.');
  }
  if (!mode.trailer && trailerNames.length > 0) {
    throw new HoldfastError(
      'InvalidRequest',
      'x-amz-trailer needs a body whose x-amz-content-sha256 ends in -TRAILER.',
    );
  }
  return {
    decodedLengthBytes: Number(lengths[0]),
    trailerNames,
    trailer: mode.trailer,
    ...(signing === undefined ? {} : { signing }),
  };
}
