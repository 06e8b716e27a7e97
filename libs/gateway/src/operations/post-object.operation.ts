import { HoldfastError, LIMITS } from '@holdfast/contracts';
import {
  decodePostPolicy,
  encodePostResponse,
  extractObjectHeaders,
  formAnswer,
  judgePostPolicy,
  parseContentMd5,
  redirectLocation,
  requestedChecksum,
  type FormAnswer,
  type SizeRange,
  type UploadForm,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation, resourceOf } from '../pipeline/operation.js';
import { emptyReply, xmlReply, type Reply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { definedOnly } from './object-attributes.js';
import { quoted } from './object-reply-headers.js';
import { storedHeaders, storeObject, type PutObjectInput, type PutObjectOutput } from './put-object.operation.js';
import { taggingChecks, tagsOf } from './request-tags.js';
import { refuseUnservedFeatures, storageClassOf } from './unserved-features.js';

interface PostObjectInput extends PutObjectInput {
  readonly answer: FormAnswer;
}

/**
 * A file from an HTML form. The pipeline has turned the form into the PUT that it stands for; here its policy is judged,
 * before a byte of the file is asked for.
 */
export const postObject = defineOperation<PostObjectInput, PutObjectOutput>({
  name: 'PostObject',

  access: (request, row) => ({
    required: [{ action: row.action, resource: resourceOf(request) }, ...taggingChecks(request)],
  }),

  decode(exchange) {
    const { headers } = exchange.request;
    const form = formOf(exchange);
    const size = allowedSize(form, exchange);
    refuseUnservedFeatures(headers);
    const { standard, user } = extractObjectHeaders(headers);
    return {
      plan: planFile(exchange, form, size),
      attributes: { headers: definedOnly(standard), userMetadata: user, storageClass: storageClassOf(headers) },
      conditions: {},
      ...tagsOf(headers),
      answer: formAnswer(form),
    };
  },

  handle: storeObject,
  encode: (output, exchange, { answer }) => answerOf(answer, output, exchange),
});

function formOf({ request }: Exchange): UploadForm {
  if (request.form === undefined) throw new HoldfastError('InternalError', 'the request of a form upload has no form');
  return request.form;
}

/** What the policy allows of the file's size; without a policy, any. @throws HoldfastError AccessDenied, InvalidPolicyDocument */
function allowedSize(form: UploadForm, { bucketName, request }: Exchange): SizeRange {
  const policy = form.fields.get('policy');
  if (policy === undefined) return { minBytes: 0, maxBytes: LIMITS.putObjectBytesMax };
  const { size, ...conditions } = decodePostPolicy(policy.value);
  judgePostPolicy({ size, ...conditions }, form, bucketName, request.arrivedAtMs);
  return { minBytes: size.minBytes, maxBytes: Math.min(size.maxBytes, LIMITS.putObjectBytesMax) };
}

/** The file is as long as it is: too much of it is cut off while it comes, too little is known at its end. */
function planFile({ request, grant }: Exchange, form: UploadForm, size: SizeRange): BodyPlan {
  return {
    sizeBytes: Math.min(size.maxBytes, form.fileBytesMax),
    sizeBytesMin: size.minBytes,
    payload: grant.payload,
    contentMd5: parseContentMd5(request.headers),
    checksum: requestedChecksum(request.headers),
  };
}

function answerOf({ redirect, status }: FormAnswer, output: PutObjectOutput, exchange: Exchange): Reply {
  const { bucketName, key } = exchange;
  const etag = output.stored.md5Hex;
  const headers = storedHeaders(output);
  if (redirect !== undefined) {
    return emptyReply(303, [...headers, 'Location', redirectLocation(redirect, bucketName, key, quoted(etag))]);
  }
  const location = locationOf(exchange);
  headers.push('Location', location);
  if (status !== 201) return emptyReply(status, headers);
  return xmlReply(encodePostResponse({ location, bucket: bucketName, key, etag }), 201, headers);
}

/** Where the object can be read, in the style of address that the form was sent to. */
function locationOf({ request, key }: Exchange): string {
  const path = key.split('/').map(encodeURIComponent).join('/');
  return `http://${request.headers.get('host') ?? ''}${request.target.rawPath.replace(/\/$/, '')}/${path}`;
}
