import { HoldfastError, LIMITS, type VersionPart } from '@holdfast/contracts';
import {
  encodeObjectAttributes,
  type HeaderList,
  type ObjectAttributesResult,
  type S3Operation,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation, listingCheck, resourceOf, type AccessQuestion } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import type { S3Request } from '../pipeline/request.js';
import { findVersion, type FoundVersion } from './object-lookup.js';
import { stateHeaders } from './object-reply-headers.js';
import { invalidArgument, sizeHeader, versionArgument } from './request-arguments.js';
import { namedChecksums } from './stored-checksums.js';
import { refuseUnservedFeatures } from './unserved-features.js';

const ATTRIBUTES = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const;
type Attribute = (typeof ATTRIBUTES)[number];

interface AttributesInput {
  readonly versionId?: string;
  readonly wanted: ReadonlySet<Attribute>;
  readonly maxParts: number;
  readonly partNumberMarker: number;
}

interface AttributesOutput extends FoundVersion {
  readonly parts?: { readonly parts: readonly VersionPart[]; readonly truncated: boolean };
}

/** Two permissions: to read the object, and to read its attributes. */
function attributesAccess(request: S3Request, row: S3Operation): AccessQuestion {
  const suffix = request.target.query.has('versionId') ? 'Version' : '';
  const resource = resourceOf(request);
  const required = [
    { action: `s3:GetObject${suffix}`, resource },
    { action: suffix === '' ? row.action : 's3:GetObjectVersionAttributes', resource },
  ];
  return { required, optional: [listingCheck(request)] };
}

export const getObjectAttributes = defineOperation<AttributesInput, AttributesOutput>({
  name: 'GetObjectAttributes',
  access: attributesAccess,
  decode({ request: { headers, target } }) {
    refuseUnservedFeatures(headers);
    return {
      versionId: versionArgument(target.query),
      wanted: wantedAttributes(headers),
      maxParts: Math.min(sizeHeader(headers, 'x-amz-max-parts') ?? LIMITS.listPageMax, LIMITS.listPageMax),
      partNumberMarker: Math.min(sizeHeader(headers, 'x-amz-part-number-marker') ?? 0, LIMITS.partsMax),
    };
  },
  async handle(input, exchange) {
    const found = await findVersion(input, exchange);
    if (!input.wanted.has('ObjectParts') || found.version.partSizes === undefined) return found;
    return { ...found, parts: await partsOf(input, exchange, found) };
  },
  encode({ bucket, version, parts }, _exchange, { wanted, maxParts, partNumberMarker }) {
    const { attributes, etag, sizeBytes } = version;
    const { checksums, checksumType, storageClass } = attributes;
    const result: ObjectAttributesResult = {
      ...(wanted.has('ETag') ? { etag } : {}),
      ...(wanted.has('Checksum') && Object.keys(checksums).length > 0
        ? { checksum: { values: namedChecksums(checksums), type: checksumType ?? 'FULL_OBJECT' } }
        : {}),
      ...(parts === undefined
        ? {}
        : {
            parts: {
              totalPartsCount: version.partSizes?.length ?? 0,
              partNumberMarker,
              nextPartNumberMarker: parts.parts.at(-1)?.partNumber ?? partNumberMarker,
              maxParts,
              isTruncated: parts.truncated,
              parts: parts.parts.map((part) => ({ ...part, checksums: namedChecksums(part.checksums) })),
            },
          }),
      ...(wanted.has('StorageClass') ? { storageClass } : {}),
      ...(wanted.has('ObjectSize') ? { sizeBytes } : {}),
    };
    // The entity tag is an attribute here, not a header.
    return xmlReply(encodeObjectAttributes(result), 200, stateHeaders(bucket, version).slice(2));
  },
});

async function partsOf({ maxParts, partNumberMarker }: AttributesInput, exchange: Exchange, found: FoundVersion) {
  const page = await exchange.services.metadata.listVersionParts(exchange.controlCall(), {
    bucketId: found.bucket.bucketId,
    versionId: found.version.versionId,
    afterPart: partNumberMarker,
    limit: maxParts,
  });
  const expected = maxParts > 0 && partNumberMarker === 0;
  if (expected && page.parts.length === 0) {
    throw new HoldfastError('ServiceUnavailable', 'The object was replaced meanwhile. Try again.');
  }
  return page;
}

/** @throws HoldfastError InvalidArgument (none, or an unknown one) */
function wantedAttributes(headers: HeaderList): ReadonlySet<Attribute> {
  const text = headers.joined('x-amz-object-attributes') ?? '';
  const names = text.split(',').map((name) => name.trim());
  const wanted = new Set<Attribute>();
  for (const name of names) {
    const attribute = ATTRIBUTES.find((known) => known === name);
    if (attribute === undefined) invalidArgument('x-amz-object-attributes', text, 'Invalid attribute name specified.');
    wanted.add(attribute);
  }
  return wanted;
}
