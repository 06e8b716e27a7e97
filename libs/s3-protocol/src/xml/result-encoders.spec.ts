import { describe, expect, it } from '@jest/globals';
import {
  encodeCompleteMultipartUpload,
  encodeDeleteResult,
  encodeInitiateMultipartUpload,
  encodeListAllMyBuckets,
  encodeListBucketV1,
  encodeListBucketV2,
  encodeListParts,
  encodeLocationConstraint,
  type ListBucketV1,
} from './result-encoders.js';

const owner = { id: 'ID1', displayName: 'Name & Co' };
const atMs = Date.UTC(2024, 4, 24, 1, 2, 3, 4);
const open = (root: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`;
const OWNER = '<ID>ID1</ID><DisplayName>Name &amp; Co</DisplayName>';

const page: ListBucketV1 = {
  bucket: 'b',
  prefix: '',
  marker: '',
  maxKeys: 1000,
  urlEncoded: false,
  isTruncated: false,
  objects: [{ key: 'a b&c', lastModifiedMs: atMs, etag: 'e', sizeBytes: 5, storageClass: 'STANDARD', owner }],
  commonPrefixes: ['p/'],
};

describe('result documents', () => {
  it('ListAllMyBucketsResult', () => {
    expect(encodeListAllMyBuckets({ owner, buckets: [{ name: 'b', createdAtMs: atMs }] })).toBe(
      `${open('ListAllMyBucketsResult')}<Owner>${OWNER}</Owner><Buckets><Bucket><Name>b</Name>` +
        '<CreationDate>2024-05-24T01:02:03.004Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>',
    );
    expect(
      encodeListAllMyBuckets({
        owner,
        buckets: [{ name: 'b', createdAtMs: 0, region: 'r' }],
        prefix: 'p',
        continuationToken: 't',
      }),
    ).toMatch(/<BucketRegion>r<\/BucketRegion>.*<ContinuationToken>t<\/ContinuationToken><Prefix>p<\/Prefix>/);
  });

  it('LocationConstraint, empty for us-east-1', () => {
    expect(encodeLocationConstraint('us-east-1')).toBe(`${open('LocationConstraint')}</LocationConstraint>`);
    expect(encodeLocationConstraint('eu')).toBe(`${open('LocationConstraint')}eu</LocationConstraint>`);
  });

  it('ListBucketResult of version 1', () => {
    expect(encodeListBucketV1(page)).toBe(
      `${open('ListBucketResult')}<Name>b</Name><Prefix></Prefix><Marker></Marker><MaxKeys>1000</MaxKeys>` +
        '<IsTruncated>false</IsTruncated><Contents><Key>a b&amp;c</Key><LastModified>2024-05-24T01:02:03.004Z</LastModified>' +
        `<ETag>&quot;e&quot;</ETag><Size>5</Size><Owner>${OWNER}</Owner><StorageClass>STANDARD</StorageClass></Contents>` +
        '<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>',
    );
  });

  it('encoding-type=url encodes keys, prefixes, delimiter and markers, but for slashes', () => {
    const text = encodeListBucketV1({
      ...page,
      urlEncoded: true,
      prefix: 'é/',
      delimiter: '\n/',
      marker: 'm+',
      nextMarker: 'n ',
      isTruncated: true,
      commonPrefixes: ['q?/'],
    });
    for (const part of [
      '<Prefix>%C3%A9/</Prefix>',
      '<Delimiter>%0A/</Delimiter>',
      '<Marker>m%2B</Marker>',
      '<NextMarker>n%20</NextMarker>',
      '<EncodingType>url</EncodingType>',
      '<IsTruncated>true</IsTruncated>',
      '<Key>a%20b%26c</Key>',
      '<Prefix>q%3F/</Prefix>',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('an empty delimiter is not echoed', () => {
    expect(encodeListBucketV1({ ...page, delimiter: '' })).not.toContain('Delimiter');
  });

  it('ListBucketResult of version 2 counts keys and prefixes, and leaves tokens as they are', () => {
    const { marker: _, ...rest } = page;
    const text = encodeListBucketV2({
      ...rest,
      urlEncoded: true,
      startAfter: 's&',
      continuationToken: 'c+',
      nextContinuationToken: 'n=',
    });
    expect(text).toContain(
      '<ContinuationToken>c+</ContinuationToken><NextContinuationToken>n=</NextContinuationToken>',
    );
    expect(text).toContain('<StartAfter>s%26</StartAfter><KeyCount>2</KeyCount>');
    expect(text).not.toContain('Marker');
    expect(encodeListBucketV2(rest)).not.toMatch(/Token|StartAfter/);
  });

  it('InitiateMultipartUploadResult', () => {
    expect(encodeInitiateMultipartUpload({ bucket: 'b', key: 'k<', uploadId: 'u' })).toBe(
      `${open('InitiateMultipartUploadResult')}<Bucket>b</Bucket><Key>k&lt;</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>`,
    );
  });

  it('CompleteMultipartUploadResult', () => {
    const result = {
      location: 'http://h/b/k',
      bucket: 'b',
      key: 'k',
      etag: 'e-2',
      checksums: { CRC32: 'x' },
      checksumType: 'COMPOSITE',
    };
    expect(encodeCompleteMultipartUpload(result)).toBe(
      `${open('CompleteMultipartUploadResult')}<Location>http://h/b/k</Location><Bucket>b</Bucket><Key>k</Key>` +
        '<ETag>&quot;e-2&quot;</ETag><ChecksumCRC32>x</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType></CompleteMultipartUploadResult>',
    );
  });

  it('ListPartsResult', () => {
    const text = encodeListParts({
      ...{
        bucket: 'b',
        key: 'k',
        uploadId: 'u',
        owner,
        initiator: owner,
        storageClass: 'STANDARD',
        partNumberMarker: 0,
      },
      ...{ nextPartNumberMarker: 1, maxParts: 1, isTruncated: true, checksumAlgorithm: 'SHA1' },
      parts: [{ partNumber: 1, lastModifiedMs: atMs, etag: 'e', sizeBytes: 7, checksums: { SHA1: 's' } }],
    });
    expect(text).toBe(
      `${open('ListPartsResult')}<Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId><Initiator>${OWNER}</Initiator>` +
        `<Owner>${OWNER}</Owner><StorageClass>STANDARD</StorageClass><PartNumberMarker>0</PartNumberMarker>` +
        '<NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>' +
        '<ChecksumAlgorithm>SHA1</ChecksumAlgorithm><Part><PartNumber>1</PartNumber>' +
        '<LastModified>2024-05-24T01:02:03.004Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size>' +
        '<ChecksumSHA1>s</ChecksumSHA1></Part></ListPartsResult>',
    );
  });

  it('DeleteResult', () => {
    const text = encodeDeleteResult({
      deleted: [{ key: 'a' }, { key: 'b', versionId: 'v', deleteMarker: true, deleteMarkerVersionId: 'm' }],
      errors: [{ key: 'c', code: 'AccessDenied', message: 'Access Denied' }],
    });
    expect(text).toBe(
      `${open('DeleteResult')}<Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key><VersionId>v</VersionId>` +
        '<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted>' +
        '<Error><Key>c</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>',
    );
  });
});
