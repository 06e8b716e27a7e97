/**
 * Every error that crosses a boundary, in one table: the S3 code is the name on every wire.
 * The S3 edge turns an entry into XML, the admin edge into problem+json, the control plane carries name and details.
 * Nobody matches on message texts. "Not found" of a port is a result where the port says so, never an exception of transport.
 */
export interface ErrorEntry {
  /** HTTP status at the edge. */
  readonly status: number;
  /** True when the same request may succeed later without being changed. */
  readonly retryable: boolean;
  /** What went wrong and, where there is one, the way to fix it. */
  readonly message: string;
}

const entry = (status: number, message: string, retryable = false): ErrorEntry => ({ status, retryable, message });

export const ERRORS = {
  // Identity
  AccessDenied: entry(403, 'Access Denied'),
  InvalidAccessKeyId: entry(403, 'The access key id you provided does not exist in our records.'),
  SignatureDoesNotMatch: entry(
    403,
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  ),
  RequestTimeTooSkewed: entry(403, 'The difference between the request time and the server time is too large.'),
  ExpiredToken: entry(401, 'The provided token has expired.'),
  InvalidToken: entry(401, 'The provided token is malformed or otherwise not valid.'),
  AuthorizationHeaderMalformed: entry(400, 'The authorization header is malformed.'),
  AuthorizationQueryParametersError: entry(400, 'Error parsing the authorization query parameters.'),
  MissingSecurityHeader: entry(400, 'Your request was missing a required header.'),
  InvalidCredentials: entry(401, 'The credentials are not valid.'),
  // Identities and policies, as IAM names them
  NoSuchEntity: entry(404, 'The account, user, group, key or policy does not exist.'),
  EntityAlreadyExists: entry(409, 'Another account, user, group or policy has this name.'),
  DeleteConflict: entry(409, 'What is to be deleted still holds or is held by others. Remove those first.'),
  LimitExceeded: entry(409, 'There are as many of these as there may be.'),
  // Requests
  InvalidArgument: entry(400, 'Invalid Argument'),
  InvalidRequest: entry(400, 'Invalid Request'),
  InvalidURI: entry(400, 'The specified URI could not be parsed.'),
  InvalidBucketName: entry(400, 'The specified bucket is not valid.'),
  KeyTooLongError: entry(400, 'Your key is too long.'),
  InvalidDigest: entry(400, 'The Content-MD5 you specified is not valid.'),
  BadDigest: entry(400, 'The digest you specified did not match what we received.'),
  XAmzContentSHA256Mismatch: entry(400, 'The provided x-amz-content-sha256 header does not match what was computed.'),
  XAmzContentChecksumMismatch: entry(400, 'The provided checksum does not match what was computed.'),
  IncompleteBody: entry(400, 'You did not provide the number of bytes specified by the Content-Length HTTP header.'),
  MissingContentLength: entry(411, 'You must provide the Content-Length HTTP header.'),
  MissingRequestBodyError: entry(400, 'Request body is empty.'),
  EntityTooLarge: entry(400, 'Your proposed upload exceeds the maximum allowed object size.'),
  EntityTooSmall: entry(400, 'Your proposed upload is smaller than the minimum allowed object size.'),
  MaxMessageLengthExceeded: entry(400, 'Your request was too big.'),
  MetadataTooLarge: entry(400, 'Your metadata headers exceed the maximum allowed metadata size.'),
  RequestHeaderSectionTooLarge: entry(400, 'Your request header section exceeds the maximum allowed size.'),
  InvalidTag: entry(400, 'The tag provided was not a valid tag.'),
  IllegalVersioningConfigurationException: entry(400, 'The Versioning element must be specified'),
  MalformedPOSTRequest: entry(400, 'The body of your POST request is not well-formed multipart/form-data.'),
  MaxPostPreDataLengthExceeded: entry(400, 'Your POST request fields preceding the upload file were too large.'),
  InvalidPolicyDocument: entry(
    400,
    'The content of the form does not meet the conditions specified in the policy document.',
  ),
  MalformedXML: entry(
    400,
    'The XML you provided was not well-formed or did not validate against our published schema.',
  ),
  MalformedPolicy: entry(400, 'The policy is not in a valid JSON or not in the grammar of policies.'),
  InvalidPart: entry(
    400,
    'One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not match.',
  ),
  InvalidPartOrder: entry(400, 'The list of parts was not in ascending order. Parts must be ordered by part number.'),
  InvalidRange: entry(416, 'The requested range is not satisfiable.'),
  InvalidLocationConstraint: entry(400, 'The specified location constraint is not valid.'),
  IllegalLocationConstraintException: entry(
    400,
    'The specified location constraint is incompatible with the region this request was sent to.',
  ),
  InvalidStorageClass: entry(400, 'The storage class you specified is not valid.'),
  RequestTimeout: entry(
    400,
    'Your socket connection to the server was not read from or written to within the timeout period.',
    true,
  ),
  PreconditionFailed: entry(412, 'At least one of the preconditions you specified did not hold.'),
  NotModified: entry(304, 'Not Modified'),
  ConditionalRequestConflict: entry(409, 'A conflicting operation occurred during a conditional request.', true),
  OperationAborted: entry(
    409,
    'A conflicting conditional operation is currently in progress against this resource. Try again.',
    true,
  ),
  BadRequest: entry(400, 'Bad Request'),
  AccessForbidden: entry(
    403,
    "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
  ),
  MethodNotAllowed: entry(405, 'The specified method is not allowed against this resource.'),
  NotImplemented: entry(501, 'A header or operation you provided implies functionality that is not implemented.'),
  // Resources
  NoSuchBucket: entry(404, 'The specified bucket does not exist.'),
  NoSuchCORSConfiguration: entry(404, 'The CORS configuration does not exist'),
  NoSuchKey: entry(404, 'The specified key does not exist.'),
  NoSuchVersion: entry(404, 'The specified version does not exist.'),
  NoSuchBucketPolicy: entry(404, 'The bucket policy does not exist'),
  NoSuchPublicAccessBlockConfiguration: entry(404, 'The public access block configuration was not found'),
  OwnershipControlsNotFoundError: entry(404, 'The bucket ownership controls were not found'),
  NoSuchTagSet: entry(404, 'The TagSet does not exist'),
  NoSuchUpload: entry(404, 'The upload id is unknown: it was completed, aborted or never begun.'),
  BucketAlreadyExists: entry(
    409,
    'The requested bucket name is not available. The bucket namespace is shared by all accounts. Select a different name and try again.',
  ),
  BucketAlreadyOwnedByYou: entry(409, 'The bucket that you tried to create already exists, and you own it.'),
  BucketNotEmpty: entry(409, 'The bucket you tried to delete is not empty.'),
  // Availability
  SlowDown: entry(503, 'Please reduce your request rate.', true),
  ServiceUnavailable: entry(503, 'The service is temporarily unable to handle the request. Try again.', true),
  InternalError: entry(500, 'We encountered an internal error. Try again.', true),
  // Inside the cluster (never shown to a client by these names)
  StaleEpoch: entry(
    503,
    "The cluster map of the caller is older than the callee's. Fetch the map and repeat the call.",
    true,
  ),
  MarginLost: entry(503, 'Too few devices are left to keep a unit of parity to spare.', true),
  LateWrite: entry(503, 'The deadline of the write has passed.', true),
  DeviceFull: entry(503, 'The device has no free extent for this unit.', true),
  DeviceDead: entry(503, 'The device failed a write or a flush and serves no more writes.', true),
  MetadataDamaged: entry(
    503,
    'A page or log record of the device does not verify: what it held is unknown. Replace the device and let its units be rebuilt.',
    true,
  ),
  UnitExists: entry(409, 'A unit with this address and other bytes exists.'),
  UnitDamaged: entry(503, 'The unit on the device does not verify.', true),
  DataUnreadable: entry(503, 'Too few units of a chunk can be read.', true),
  ForeignDatabase: entry(
    409,
    'The database of the caller is of another cluster, another generation or older than this device.',
  ),
  Unauthenticated: entry(401, 'The internal call carries no valid authentication code.'),
  SchemaViolation: entry(400, 'The message does not fit its schema.'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorName = keyof typeof ERRORS;

/** Extra elements of an error answer, shown to the client (BucketName, Key, Header …). No secret, no path. */
export type ErrorDetails = Readonly<Record<string, string>>;

/** An operating error of the table. A broken invariant is not one of these: it stops the process (see stdx `assert`). */
export class HoldfastError extends Error {
  readonly status: number;
  readonly retryable: boolean;
  constructor(
    readonly code: ErrorName,
    message?: string,
    readonly details: ErrorDetails = {},
    /** `status`: where the scheme that a request was sent by wants another than the table's. */
    options?: { cause?: unknown; status?: number },
  ) {
    super(message ?? ERRORS[code].message, options);
    this.name = 'HoldfastError';
    this.status = options?.status ?? ERRORS[code].status;
    this.retryable = ERRORS[code].retryable;
  }
}

export function isHoldfastError(value: unknown, ...codes: ErrorName[]): value is HoldfastError {
  return value instanceof HoldfastError && (codes.length === 0 || codes.includes(value.code));
}
