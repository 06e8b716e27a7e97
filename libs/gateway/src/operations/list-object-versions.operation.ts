import { LIMITS, NULL_VERSION, type ListVersions, type VersionList } from '@holdfast/contracts';
import { CHECKSUM_ALGORITHMS, encodeListVersions, type ListedVersionEntry, type XmlOwner } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { ownerOf } from './bucket-owner.js';
import { decodePage, markerPosition, type ListPage } from './list-page.js';
import { invalidArgument, isVersionName, textArgument } from './request-arguments.js';

interface ListVersionsInput extends ListPage {
  readonly keyMarker: string;
  /** Empty: after every version of the key marker. */
  readonly versionIdMarker: string;
}

type Position = Pick<ListVersions, 'afterKey' | 'afterVersionId' | 'afterPrefix'>;

export const listObjectVersions = defineOperation<ListVersionsInput, VersionList & { readonly owner: XmlOwner }>({
  name: 'ListObjectVersions',
  decode(exchange) {
    const { query } = exchange.request.target;
    const page = decodePage(exchange);
    const keyMarker = textArgument(query, 'key-marker', LIMITS.keyBytesMax);
    const versionIdMarker = query.get('version-id-marker') ?? '';
    if (query.has('version-id-marker') && keyMarker === '') {
      const message = 'A version-id marker cannot be specified without a key marker.';
      invalidArgument('version-id-marker', versionIdMarker, message);
    }
    if (versionIdMarker !== '' && !isVersionName(versionIdMarker)) {
      invalidArgument('version-id-marker', versionIdMarker, 'Invalid version id specified');
    }
    return { ...page, keyMarker, versionIdMarker };
  },
  async handle(input, exchange) {
    const { metadata, buckets } = exchange.services;
    const list = await metadata.listVersions(exchange.controlCall(), {
      bucketName: exchange.bucketName,
      prefix: input.prefix,
      delimiter: input.delimiter,
      limit: input.maxKeys,
      ...positionOf(input),
    });
    const owner = await ownerOf(exchange, await buckets.check(exchange, list.bucket));
    return { ...list, owner };
  },
  encode(list, exchange, input) {
    const versions: ListedVersionEntry[] = [];
    const commonPrefixes: string[] = [];
    for (const entry of list.entries) {
      if (entry.kind === 'prefix') commonPrefixes.push(entry.prefix);
      else versions.push(entryOf(entry.version, list.owner));
    }
    const { maxKeys, prefix, delimiter, urlEncoded, keyMarker, versionIdMarker } = input;
    return xmlReply(
      encodeListVersions({
        ...{ bucket: exchange.bucketName, prefix, delimiter, keyMarker, versionIdMarker, maxKeys, urlEncoded },
        ...(list.truncated ? nextMarkers(list) : {}),
        isTruncated: list.truncated,
        versions,
        commonPrefixes,
      }),
    );
  },
});

function positionOf(input: ListVersionsInput): Position {
  if (input.keyMarker === '') return {};
  if (input.versionIdMarker !== '') return { afterKey: input.keyMarker, afterVersionId: input.versionIdMarker };
  const position = markerPosition(input.keyMarker, input);
  return position.kind === 'key' ? { afterKey: position.afterKey } : { afterPrefix: position.afterPrefix };
}

function nextMarkers({ entries }: VersionList): { nextKeyMarker?: string; nextVersionIdMarker?: string } {
  const last = entries.at(-1);
  if (last === undefined) return {};
  if (last.kind === 'prefix') return { nextKeyMarker: last.prefix };
  return { nextKeyMarker: last.version.key, nextVersionIdMarker: nameOf(last.version) };
}

function nameOf({ isNull, versionId }: { isNull: boolean; versionId: string }): string {
  return isNull ? NULL_VERSION : versionId;
}

function entryOf(
  { checksumAlgorithms, isNull, ...version }: Extract<VersionList['entries'][number], { kind: 'version' }>['version'],
  owner: XmlOwner,
): ListedVersionEntry {
  const algorithm = CHECKSUM_ALGORITHMS.find((name) => checksumAlgorithms.includes(name.toLowerCase()));
  return {
    ...version,
    versionId: nameOf({ isNull, versionId: version.versionId }),
    owner,
    ...(algorithm === undefined ? {} : { checksumAlgorithm: algorithm }),
  };
}
