import type { ErrorName } from '@holdfast/contracts';
import { toClientError, xmlDocument, xmlElement, type XmlContent, type XmlNode } from '@holdfast/s3-protocol';

/** Of the one version of the API. */
const IAM_NAMESPACE = 'https://iam.amazonaws.com/doc/2010-05-08/';

/** Errors that IAM and its clients know by another name or status than S3's. */
const IAM_ERRORS: Partial<Record<ErrorName, { readonly code: string; readonly status?: number }>> = {
  InvalidArgument: { code: 'ValidationError' },
  MaxMessageLengthExceeded: { code: 'ValidationError' },
  MalformedPolicy: { code: 'MalformedPolicyDocument' },
  InvalidAccessKeyId: { code: 'InvalidClientTokenId' },
  InvalidToken: { code: 'InvalidClientTokenId', status: 403 },
  ExpiredToken: { code: 'ExpiredToken', status: 403 },
  AuthorizationHeaderMalformed: { code: 'IncompleteSignature' },
  RequestTimeTooSkewed: { code: 'RequestExpired', status: 400 },
  XAmzContentSHA256Mismatch: { code: 'SignatureDoesNotMatch', status: 403 },
  InternalError: { code: 'ServiceFailure' },
};

export interface IamDocument {
  readonly status: number;
  readonly body: string;
}

/** The answer of an action that went well; of one that says nothing it is the request's id alone. */
export function encodeIamResult(action: string, requestId: string, result?: readonly (XmlNode | undefined)[]): string {
  return xmlDocument(
    `${action}Response`,
    [
      result === undefined ? undefined : xmlElement(`${action}Result`, result),
      xmlElement('ResponseMetadata', [xmlElement('RequestId', requestId)]),
    ],
    IAM_NAMESPACE,
  );
}

/** The answer to any throwable, in IAM's words. It tells nothing of what is no error of the table. */
export function encodeIamError(error: unknown, requestId: string): IamDocument {
  const shown = toClientError(error);
  const { code, status = shown.status } = IAM_ERRORS[shown.code] ?? { code: shown.code };
  const isOurs = status >= 500 && status !== 501;
  const body = xmlDocument(
    'ErrorResponse',
    [
      xmlElement('Error', [
        xmlElement('Type', isOurs ? 'Receiver' : 'Sender'),
        xmlElement('Code', code),
        xmlElement('Message', shown.message),
      ]),
      xmlElement('RequestId', requestId),
    ],
    IAM_NAMESPACE,
  );
  return { status, body };
}

/** A list as IAM writes one. */
export const memberList = (name: string, members: readonly XmlContent[]): XmlNode =>
  xmlElement(
    name,
    members.map((content) => xmlElement('member', content)),
  );

/** What ends every list: whether there is more, and where it goes on. */
export const listEnd = (next: string | undefined): readonly (XmlNode | undefined)[] => [
  xmlElement('IsTruncated', next !== undefined),
  next === undefined ? undefined : xmlElement('Marker', next),
];

/** ISO 8601 in whole seconds. */
export const iamTime = (atMs: number): string => new Date(atMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
