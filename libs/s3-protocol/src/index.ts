import type { ErrorName, HoldfastError } from '@holdfast/contracts';

// headers/
/** Headers as they arrived (a flat `name, value, …` list): order and duplicates kept, lookups by lower-case name. */
export declare class HeaderList {
  constructor(rawHeaders: readonly string[]);
  static from(record: Readonly<Record<string, string | readonly string[]>>): HeaderList;
  /** Number of header lines. */
  readonly count: number;
  /** First value of the header, or undefined. */
  get(lowerName: string): string | undefined;
  getAll(lowerName: string): readonly string[];
  has(lowerName: string): boolean;
  /** Distinct lower-case names in order of arrival. */
  names(): IterableIterator<string>;
}
/** What a PUT stores beside the bytes. `standard` has lower-case header names; `user` has names without `x-amz-meta-`. */
export interface ObjectHeaders {
  readonly standard: Readonly<Partial<Record<StandardHeaderName, string>>>;
  readonly user: Readonly<Record<string, string>>;
}
export type StandardHeaderName =
  'content-type' | 'cache-control' | 'content-disposition' | 'content-encoding' | 'content-language' | 'expires';
export declare const STANDARD_HEADER_NAMES: readonly StandardHeaderName[];
export declare const USER_METADATA_MAX_BYTES: number;
/** Errors: MetadataTooLarge, InvalidArgument (CR, LF, NUL). */
export declare function extractObjectHeaders(headers: HeaderList): ObjectHeaders;
/** 16 bytes, or undefined without the header. Errors: InvalidDigest. */
export declare function parseContentMd5(headers: HeaderList): Buffer | undefined;
/** The `response-*` overrides of a GET as header name -> value. Errors: InvalidArgument (CR, LF, NUL). */
export declare function responseOverrides(query: QueryParameters): Readonly<Record<string, string>>;

// target/
export interface QueryParameter {
  readonly rawName: string;
  readonly rawValue: string;
  readonly name: string;
  readonly value: string;
}
export declare class QueryParameters {
  readonly pairs: readonly QueryParameter[];
  get(name: string): string | undefined;
  getAll(name: string): readonly string[];
  has(name: string): boolean;
}
export interface RequestTarget {
  readonly rawUrl: string;
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly query: QueryParameters;
}
/** Errors: InvalidURI, KeyTooLongError, InvalidRequest (absolute form). Does not validate the bucket's name. */
export declare function parseRequestTarget(rawUrl: string): RequestTarget;
/** Errors: InvalidBucketName. */
export declare function validateBucketName(name: string): void;

// operations/
export interface S3Operation {
  readonly name: string;
  readonly level: 'service' | 'bucket' | 'object';
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS';
  /** `true`: the parameter is there; a text: it has this value. */
  readonly query?: Readonly<Record<string, true | string>>;
  readonly headers?: readonly string[];
  readonly action: string;
  readonly body: 'none' | 'xml' | 'stream' | 'form';
  readonly event?: string;
  readonly status: 'served' | 'planned';
}
export interface OperationRequest {
  readonly method: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly query: QueryParameters;
  readonly headers: HeaderList;
}
export declare const S3_OPERATIONS: readonly S3Operation[];
/** The most specific row. Errors: MethodNotAllowed, NotImplemented. A planned row is returned: the caller answers 501 by its name. */
export declare function resolveOperation(request: OperationRequest): S3Operation;

// sigv4/
export interface SignedRequest {
  readonly method: string;
  readonly rawPath: string;
  readonly query: QueryParameters;
  readonly headers: HeaderList;
}
export interface CredentialScope {
  /** YYYYMMDD */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}
export interface AnonymousCredential {
  readonly kind: 'anonymous';
}
export interface BearerCredential {
  readonly kind: 'bearer';
  readonly token: string;
}
interface V4Credential {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** YYYYMMDDTHHMMSSZ */
  readonly timestamp: string;
  readonly timestampMs: number;
  /** The last line of the canonical request: 64 hex digits, UNSIGNED-PAYLOAD or STREAMING-… */
  readonly payloadHash: string;
  readonly sessionToken?: string;
}
export interface HeaderV4Credential extends V4Credential {
  readonly kind: 'header-v4';
}
export interface QueryV4Credential extends V4Credential {
  readonly kind: 'query-v4';
  readonly expiresSeconds: number;
}
export type RequestCredential = AnonymousCredential | BearerCredential | HeaderV4Credential | QueryV4Credential;
/** Decides the kind of authentication once, and refuses unsigned `x-amz-*` headers. `service` is `s3` unless given. */
export declare function parseCredential(
  request: SignedRequest,
  expected: { readonly region: string; readonly service?: string },
): RequestCredential;
/** Errors: RequestTimeTooSkewed, AccessDenied (a presigned URL not yet or no longer valid). */
export declare function checkTime(credential: HeaderV4Credential | QueryV4Credential, nowMs: number): void;
export declare function canonicalRequest(
  request: SignedRequest,
  credential: HeaderV4Credential | QueryV4Credential,
): string;
export declare function stringToSign(canonical: string, credential: HeaderV4Credential | QueryV4Credential): string;
export declare function deriveSigningKey(secretAccessKey: string, scope: CredentialScope): Buffer;
export declare function signatureMatches(expectedHex: string, givenHex: string): boolean;
/** Canonicalises, signs and compares. Errors: SignatureDoesNotMatch. */
export declare function verifySignature(
  request: SignedRequest,
  credential: HeaderV4Credential | QueryV4Credential,
  signingKey: Buffer,
): void;
/** How the body arrives. `chunked`: AwsChunkedDecoder must read it. */
export type PayloadMode =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'sha256'; readonly sha256Hex: string }
  | { readonly kind: 'chunked'; readonly signed: boolean; readonly trailer: boolean };
/** Errors: InvalidArgument, InvalidRequest (signed chunks without a SigV4 header credential). */
export declare function payloadMode(credential: RequestCredential, headers: HeaderList): PayloadMode;

// chunked/
export interface ChunkSigning {
  readonly signingKey: Buffer;
  readonly scope: CredentialScope;
  readonly timestamp: string;
  readonly seedSignature: string;
}
export interface AwsChunkedOptions {
  /** x-amz-decoded-content-length */
  readonly decodedLengthBytes: number;
  /** Lower-case names that x-amz-trailer announces; empty when the mode has no trailer. */
  readonly trailerNames: readonly string[];
  readonly trailer: boolean;
  /** Present exactly when chunks are signed. */
  readonly signing?: ChunkSigning;
}
/** Errors while iterating: IncompleteBody, InvalidRequest, SignatureDoesNotMatch. */
export declare class AwsChunkedDecoder implements AsyncIterable<Buffer> {
  constructor(source: AsyncIterable<Buffer>, options: AwsChunkedOptions);
  /** Lower-case names; complete after the iteration ended. */
  readonly trailers: ReadonlyMap<string, string>;
  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined>;
}
/** The options of a body of mode `chunked`. Errors: MissingContentLength, InvalidArgument, InvalidRequest. */
export declare function awsChunkedOptions(
  mode: PayloadMode & { kind: 'chunked' },
  headers: HeaderList,
  signing: ChunkSigning | undefined,
): AwsChunkedOptions;

// checksums/
export type ChecksumAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256';
export declare const CHECKSUM_ALGORITHMS: readonly ChecksumAlgorithm[];
export declare const CHECKSUM_HEADERS: Readonly<Record<ChecksumAlgorithm, string>>;
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  update(bytes: Uint8Array): void;
  /** Big-endian bytes. The object takes no more updates. */
  digest(): Buffer;
}
export declare function createChecksum(algorithm: ChecksumAlgorithm): Checksum;
/** Bytes of a base64 checksum. Errors: BadDigest (not base64, wrong length). */
export declare function parseChecksumValue(algorithm: ChecksumAlgorithm, base64: string): Buffer;
export interface RequestedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Where the expected value comes from; `header` has it already. */
  readonly source: 'header' | 'trailer';
  readonly expected?: Buffer;
}
/** The one checksum that the client sends with a body. Errors: InvalidRequest, BadDigest. */
export declare function requestedChecksum(headers: HeaderList): RequestedChecksum | undefined;
/** Compares the computed digest with header or trailer. Errors: BadDigest, InvalidRequest (announced trailer is missing). */
export declare function verifyChecksum(
  requested: RequestedChecksum,
  digest: Buffer,
  trailers: ReadonlyMap<string, string>,
): void;

// xml/
export interface DeleteRequest {
  readonly quiet: boolean;
  readonly objects: readonly { readonly key: string; readonly versionId?: string }[];
}
export interface CompletePart {
  readonly partNumber: number;
  /** Without quotes. */
  readonly etag: string;
  readonly checksums: Readonly<Partial<Record<ChecksumAlgorithm, string>>>;
}
/** Errors of the three: MalformedXML. */
export declare function decodeDelete(body: Buffer): DeleteRequest;
export declare function decodeCompleteMultipartUpload(body: Buffer): readonly CompletePart[];
/** An empty body is no constraint. */
export declare function decodeCreateBucketConfiguration(body: Buffer): { readonly locationConstraint?: string };

export type XmlNode = {
  readonly name: string;
  readonly content: XmlContent;
  readonly attributes?: Readonly<Record<string, string>>;
};
export type XmlContent = string | number | boolean | readonly (XmlNode | undefined)[];
export declare function xmlElement(name: string, content: XmlContent): XmlNode;
/** With XML declaration and, unless `namespace` is '', the S3 namespace. Undefined children are left out. */
export declare function xmlDocument(name: string, content: XmlContent, namespace?: string): string;

export interface XmlOwner {
  readonly id: string;
  readonly displayName: string;
}
export interface ListAllMyBuckets {
  readonly owner: XmlOwner;
  readonly buckets: readonly { readonly name: string; readonly createdAtMs: number; readonly region?: string }[];
  readonly prefix?: string;
  readonly continuationToken?: string;
}
export declare function encodeListAllMyBuckets(result: ListAllMyBuckets): string;
/** us-east-1 and '' are the empty constraint. */
export declare function encodeLocationConstraint(region: string): string;
export interface ListedObject {
  readonly key: string;
  readonly lastModifiedMs: number;
  /** Without quotes. */
  readonly etag: string;
  readonly sizeBytes: number;
  readonly storageClass: string;
  readonly owner?: XmlOwner;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
}
interface ListBucketPage {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter?: string;
  readonly maxKeys: number;
  readonly urlEncoded: boolean;
  readonly isTruncated: boolean;
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
}
export interface ListBucketV1 extends ListBucketPage {
  readonly marker: string;
  readonly nextMarker?: string;
}
export interface ListBucketV2 extends ListBucketPage {
  readonly continuationToken?: string;
  readonly nextContinuationToken?: string;
  readonly startAfter?: string;
}
export declare function encodeListBucketV1(result: ListBucketV1): string;
export declare function encodeListBucketV2(result: ListBucketV2): string;
export interface InitiatedMultipartUpload {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}
export declare function encodeInitiateMultipartUpload(result: InitiatedMultipartUpload): string;
export interface CompletedMultipartUpload {
  readonly location: string;
  readonly bucket: string;
  readonly key: string;
  readonly etag: string;
  readonly checksums?: Readonly<Partial<Record<ChecksumAlgorithm, string>>>;
  readonly checksumType?: string;
}
export declare function encodeCompleteMultipartUpload(result: CompletedMultipartUpload): string;
export interface ListParts {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly owner: XmlOwner;
  readonly initiator: XmlOwner;
  readonly storageClass: string;
  readonly partNumberMarker: number;
  readonly nextPartNumberMarker?: number;
  readonly maxParts: number;
  readonly isTruncated: boolean;
  readonly urlEncoded?: boolean;
  readonly parts: readonly {
    readonly partNumber: number;
    readonly lastModifiedMs: number;
    readonly etag: string;
    readonly sizeBytes: number;
    readonly checksums?: Readonly<Partial<Record<ChecksumAlgorithm, string>>>;
  }[];
}
export declare function encodeListParts(result: ListParts): string;
export interface DeleteResult {
  readonly deleted: readonly {
    readonly key: string;
    readonly versionId?: string;
    readonly deleteMarker?: boolean;
    readonly deleteMarkerVersionId?: string;
  }[];
  readonly errors: readonly {
    readonly key: string;
    readonly versionId?: string;
    readonly code: string;
    readonly message: string;
  }[];
}
/** A quiet request: the caller passes no `deleted`. */
export declare function encodeDeleteResult(result: DeleteResult): string;

// range/
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}
/** Undefined: serve the whole object. Errors: InvalidRange. */
export declare function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined;

// conditions/
export interface ObjectState {
  readonly etag: string;
  readonly lastModifiedMs: number;
}
export type ConditionVerdict = 'proceed' | 'not-modified' | 'precondition-failed';
export declare function evaluateReadConditions(headers: HeaderList, state: ObjectState): ConditionVerdict;
export interface WriteConditions {
  /** Unquoted ETags, or '*' for any. */
  readonly ifMatch?: readonly string[];
  readonly ifNoneMatch?: readonly string[];
}
export declare function parseWriteConditions(headers: HeaderList): WriteConditions;
/** `state` undefined: there is no object. */
export declare function evaluateWriteConditions(
  conditions: WriteConditions,
  state: { readonly etag: string } | undefined,
): ConditionVerdict;

// errors/
/** What a client may see: internal codes become ServiceUnavailable, SlowDown or InternalError; unknown throwables InternalError. */
export declare function toClientError(error: unknown): HoldfastError;
export interface ErrorReply {
  readonly status: number;
  readonly code: ErrorName;
  readonly body: string;
}
export declare function encodeError(
  error: unknown,
  context: { readonly resource: string; readonly requestId: string; readonly hostId?: string },
): ErrorReply;
