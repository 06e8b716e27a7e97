import { describe, expect, it } from '@jest/globals';
import { HoldfastError } from '@holdfast/contracts';
import { decodeVersioning, encodeListVersions, encodeVersioning } from './version-documents.js';

const decode = (inner: string) => {
  try {
    return decodeVersioning(Buffer.from(`<VersioningConfiguration>${inner}</VersioningConfiguration>`));
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
};

describe('the versioning of a bucket', () => {
  it.each([
    ['<Status>Enabled</Status>', 'Enabled'],
    ['<Status>Suspended</Status><MfaDelete>Disabled</MfaDelete>', 'Suspended'],
    ['<Status>enabled</Status>', 'MalformedXML'],
    ['<Status></Status>', 'MalformedXML'],
    ['<Status>Enabled</Status><Status>Suspended</Status>', 'MalformedXML'],
    ['<Status>Enabled</Status><Else/>', 'MalformedXML'],
    ['<Status>Enabled</Status><MfaDelete>maybe</MfaDelete>', 'MalformedXML'],
    ['<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>', 'NotImplemented'],
    ['', 'IllegalVersioningConfigurationException'],
  ])('%s is %s', (inner, expected) => {
    expect(decode(inner)).toBe(expected);
  });

  it('is answered without a status where it was never set', () => {
    expect(encodeVersioning('Suspended')).toContain('<Status>Suspended</Status>');
    expect(encodeVersioning(undefined)).not.toContain('Status');
  });
});

describe('a page of versions', () => {
  const owner = { id: 'canonical', displayName: 'main' };
  const version = {
    ...{ key: 'a b', versionId: 'null', isLatest: true, isDeleteMarker: false, lastModifiedMs: 0 },
    ...{ etag: 'abc', sizeBytes: 3, storageClass: 'STANDARD', owner },
  };
  const page = {
    ...{ bucket: 'b', prefix: '', delimiter: '', keyMarker: '', versionIdMarker: '', maxKeys: 2, urlEncoded: false },
    ...{ isTruncated: false, versions: [version], commonPrefixes: [] },
  };

  it('names versions and markers apart, in their order, and says whether it is all', () => {
    const marker = { ...version, versionId: 'id', isDeleteMarker: true, isLatest: false };
    const xml = encodeListVersions({ ...page, versions: [version, marker, version] });
    expect([...xml.matchAll(/<(Version|DeleteMarker)>/g)].map(([, name]) => name)).toEqual([
      'Version',
      'DeleteMarker',
      'Version',
    ]);
    expect(/<DeleteMarker>.*<\/DeleteMarker>/.exec(xml)?.[0]).not.toMatch(/ETag|Size|StorageClass/);
    expect(xml).toContain('<IsTruncated>false</IsTruncated>');
    expect(xml).toContain('<VersionIdMarker></VersionIdMarker>');
    expect(xml).not.toContain('<Next');
  });

  it('encodes names when asked to, and never ids', () => {
    const next = { nextKeyMarker: 'a b', nextVersionIdMarker: 'null', commonPrefixes: ['p q/'] };
    const xml = encodeListVersions({ ...page, ...next, urlEncoded: true, isTruncated: true, delimiter: '/' });
    for (const text of ['<Key>a%20b</Key>', '<Prefix>p%20q/</Prefix>', '<NextKeyMarker>a%20b</NextKeyMarker>']) {
      expect(xml).toContain(text);
    }
    expect(xml).toContain(
      '<NextVersionIdMarker>null</NextVersionIdMarker><MaxKeys>2</MaxKeys><Delimiter>/</Delimiter>',
    );
  });
});
