// The request as it arrived
export { readStrictHead, type StrictHead } from './http/strict-head.js';
export { HeaderList } from './headers/header-list.js';
export {
  extractObjectHeaders,
  parseContentMd5,
  responseOverrides,
  type ObjectHeaders,
  type StandardHeaderName,
} from './headers/object-headers.js';
export {
  copyConditionsHold,
  parseCopyRange,
  parseCopySource,
  type CopyRange,
  type CopySource,
} from './headers/copy-source.js';
export { validateBucketName } from './target/bucket-name.js';
export { QueryParameters, type QueryParameter } from './target/query-parameters.js';
export { bucketOfHost } from './target/virtual-host.js';
export { parseRequestTarget, type RequestTarget } from './target/request-target.js';
// What it asks for
export type { S3Operation } from './operations/operation-row.js';
export {
  S3_OPERATIONS,
  type NamedOperation,
  type S3OperationName,
  type ServedOperationName,
} from './operations/operation-table.js';
export { resolveOperation, type OperationRequest } from './operations/resolve-operation.js';
// Who it is from
export type {
  AnonymousCredential,
  BearerCredential,
  CredentialScope,
  HeaderV4Credential,
  QueryV4Credential,
  RequestCredential,
  SignedRequest,
  SigV4Credential,
} from './sigv4/credential.js';
export { parseCredential, type ExpectedScope } from './sigv4/parse-credential.js';
export { effectiveHeaders } from './sigv4/presigned-headers.js';
export { checkTime } from './sigv4/signing-time.js';
export type { HeaderV2Credential, QueryV2Credential, SignatureV2 } from './sigv2/credential.js';
export { checkExpiryV2 } from './sigv2/parse-presigned.js';
export { stringToSignV2 } from './sigv2/string-to-sign.js';
export { canonicalRequest } from './sigv4/canonical-request.js';
export {
  chunkSigning,
  deriveSigningKey,
  signatureMatches,
  signatureOf,
  stringToSign,
  type ChunkSigning,
} from './sigv4/signature.js';
// A form upload
export {
  claimsProof,
  parseFormCredential,
  type FormV2Credential,
  type FormV4Credential,
} from './form-upload/form-credential.js';
export { formAnswer, formHeaders, formKey, redirectLocation, type FormAnswer } from './form-upload/form-request.js';
export { decodePostPolicy, judgePostPolicy, type PostPolicy, type SizeRange } from './form-upload/post-policy.js';
export { readUploadForm, type FormField, type UploadForm } from './form-upload/upload-form.js';
// What other origins may do
export {
  CORS_BODY_MAX_BYTES,
  decodeCorsConfiguration,
  encodeCorsConfiguration,
  type CorsRule,
} from './cors/cors-configuration.js';
export { answerPreflight, crossOriginHeaders, parsePreflight, type Preflight } from './cors/cors-match.js';
// Its body
export { payloadMode, type PayloadMode } from './sigv4/payload.js';
export { AwsChunkedDecoder, type AwsChunkedOptions } from './chunked/aws-chunked-decoder.js';
export { awsChunkedOptions } from './chunked/aws-chunked-options.js';
export { CHECKSUM_ALGORITHMS, createChecksum, type Checksum, type ChecksumAlgorithm } from './checksums/checksum.js';
export {
  checksumAlgorithmOf,
  requestedChecksum,
  verifyChecksum,
  type RequestedChecksum,
} from './checksums/requested-checksum.js';
export {
  checksumTypeMismatch,
  checksumTypeOf,
  claimedObjectChecksum,
  objectChecksumValue,
  uploadChecksumOf,
  verifyObjectChecksum,
  type ChecksumType,
  type ClaimedChecksum,
  type PartChecksum,
  type UploadChecksum,
} from './checksums/upload-checksum.js';
export {
  BUCKET_CONFIGURATION_MAX_BYTES,
  COMPLETE_BODY_MAX_BYTES,
  decodeCompleteMultipartUpload,
  decodeCreateBucketConfiguration,
  decodeDelete,
  DELETE_BODY_MAX_BYTES,
  type CompletePart,
  type CreateBucketConfiguration,
  type DeleteEntry,
  type DeleteRequest,
} from './xml/request-decoders.js';
export {
  BUCKET_TAGS_MAX,
  decodeTagging,
  encodeTagging,
  OBJECT_TAGS_MAX,
  parseTaggingHeader,
  TAGGING_BODY_MAX_BYTES,
  type TagSet,
} from './tags/tag-set.js';
export {
  decodeOwnershipControls,
  decodePublicAccessBlock,
  encodeOwnershipControls,
  encodePolicyStatus,
  encodePublicAccessBlock,
  PUBLIC_ACCESS_BODY_MAX_BYTES,
  PUBLIC_ACCESS_SWITCHES,
  type PublicAccessBlock,
} from './xml/public-access-documents.js';
export { decodeVersioning, VERSIONING_BODY_MAX_BYTES, type VersioningStatus } from './xml/version-documents.js';
// Its conditions
export { parseRange, type ByteRange } from './range/byte-range.js';
export {
  evaluateReadConditions,
  evaluateWriteConditions,
  parseWriteConditions,
  type ConditionVerdict,
  type ObjectState,
  type WriteConditions,
  type WriteVerdict,
} from './conditions/conditions.js';
export { parseHttpDate } from './time/http-date.js';
// The answer
export { xmlDocument, xmlElement, type XmlContent, type XmlNode } from './xml/xml-writer.js';
export {
  encodeCompleteMultipartUpload,
  encodeDeleteResult,
  encodeInitiateMultipartUpload,
  encodeListAllMyBuckets,
  encodeListBucketV1,
  encodeListBucketV2,
  encodeListParts,
  encodeLocationConstraint,
  encodePostResponse,
  type ChecksumValues,
  type CompletedMultipartUpload,
  type DeleteResult,
  type InitiatedMultipartUpload,
  type ListAllMyBuckets,
  type ListBucketV1,
  type ListBucketV2,
  type ListedObject,
  type ListedPart,
  type ListParts,
  type XmlOwner,
} from './xml/result-encoders.js';
export {
  encodeCopyResult,
  encodeListMultipartUploads,
  encodeObjectAttributes,
  type CopyResult,
  type ListMultipartUploads,
  type ObjectAttributesResult,
} from './xml/upload-encoders.js';
export {
  encodeListVersions,
  encodeVersioning,
  type ListedVersionEntry,
  type ListVersionsPage,
} from './xml/version-documents.js';
export { encodeError, toClientError, type ErrorContext, type ErrorReply } from './errors/client-error.js';
