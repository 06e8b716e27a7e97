import type { AccessCheck } from '@holdfast/contracts';
import { OBJECT_TAGS_MAX, parseTaggingHeader, type HeaderList, type TagSet } from '@holdfast/s3-protocol';
import { resourceOf } from '../pipeline/operation.js';
import type { S3Request } from '../pipeline/request.js';

/** The tags that a write brings along. Errors: InvalidArgument, InvalidTag. */
export function tagsOf(headers: HeaderList): { readonly tags?: TagSet } {
  const header = headers.get('x-amz-tagging');
  if (header === undefined || header === '') return {};
  return { tags: parseTaggingHeader(header, OBJECT_TAGS_MAX) };
}

/** Who writes tags along with an object needs the permission to tag it. */
export function taggingChecks(request: S3Request): AccessCheck[] {
  const header = request.headers.get('x-amz-tagging');
  if (header === undefined || header === '') return [];
  return [{ action: 's3:PutObjectTagging', resource: resourceOf(request) }];
}
