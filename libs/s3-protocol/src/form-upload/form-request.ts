/** What a form asks for, in the words of a PUT: its fields become the key and the headers that an upload obeys. */
import { HoldfastError } from '@holdfast/contracts';
import { HeaderList } from '../headers/header-list.js';
import { headerValueOf, isHeaderName, refuseControlCharacters } from '../headers/header-value.js';
import { STANDARD_HEADER_NAMES } from '../headers/object-headers.js';
import { decodeTagging, OBJECT_TAGS_MAX } from '../tags/tag-set.js';
import { KEY_MAX_BYTES } from '../target/request-target.js';
import { invalidForm, type FormField, type UploadForm } from './upload-form.js';

/** What happens to the browser once its file is stored. */
export interface FormAnswer {
  /** Where it is sent. Absolute, http or https. */
  readonly redirect?: URL;
  readonly status: 200 | 201 | 204;
}

const PLAIN_FIELDS: ReadonlySet<string> = new Set([...STANDARD_HEADER_NAMES, 'content-md5']);
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['acl', 'x-amz-acl'],
  ['tagging', 'x-amz-tagging'],
]);
const PROOF_FIELDS = new Set([
  ...['x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature', 'x-amz-security-token'],
]);

/** @throws HoldfastError InvalidArgument (none), InvalidURI (NUL), KeyTooLongError */
export function formKey({ fields }: UploadForm): string {
  const key = fields.get('key')?.value ?? '';
  if (key === '') {
    throw invalidForm(
      'key',
      "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields.",
    );
  }
  if (key.includes('\0')) throw new HoldfastError('InvalidURI');
  const sizeBytes = Buffer.byteLength(key);
  if (sizeBytes <= KEY_MAX_BYTES) return key;
  throw new HoldfastError('KeyTooLongError', undefined, {
    Size: String(sizeBytes),
    MaxSizeAllowed: String(KEY_MAX_BYTES),
  });
}

/**
 * The fields that mean what a header of the same name means to a PUT; `acl` means `x-amz-acl`, and `tagging` (an XML
 * document) `x-amz-tagging`. Of the headers of the request, only those that `keptHeaders` names: nobody signed the rest.
 * @throws HoldfastError InvalidArgument (no header name, control characters), MalformedXML and InvalidTag (tagging)
 */
export function formHeaders({ fields }: UploadForm, request: HeaderList, keptHeaders: readonly string[]): HeaderList {
  const flat = keptHeaders.flatMap((name) => request.getAll(name).flatMap((value) => [name, value]));
  for (const [lowerName, field] of fields) {
    const name = OTHER_NAMES.get(lowerName) ?? lowerName;
    const isAmz = name.startsWith('x-amz-') && !PROOF_FIELDS.has(name);
    if (!isAmz && !PLAIN_FIELDS.has(name)) continue;
    if (name !== lowerName && fields.has(name)) throw invalidForm(field.name, 'The form says it twice.');
    flat.push(name, lowerName === 'tagging' ? taggingHeader(field.value) : headerOf(name, field));
  }
  return new HeaderList(flat);
}

function taggingHeader(document: string): string {
  const tags = Object.entries(decodeTagging(Buffer.from(document), OBJECT_TAGS_MAX));
  return tags.map((tag) => tag.map(encodeURIComponent).join('=')).join('&');
}

function headerOf(name: string, field: FormField): string {
  if (!isHeaderName(name)) throw invalidForm(field.name, 'The field cannot stand for a header.');
  const value = headerValueOf(field.value);
  refuseControlCharacters(name, value);
  return value;
}

/**
 * `success_action_redirect` (or `redirect`, its old name) outweighs `success_action_status`; what is no URL and no status
 * counts as absent.
 * @throws HoldfastError InvalidArgument (control characters: they would split the answer)
 */
export function formAnswer({ fields }: UploadForm): FormAnswer {
  const target = fields.get('success_action_redirect')?.value ?? fields.get('redirect')?.value ?? '';
  refuseControlCharacters('success_action_redirect', headerValueOf(target));
  const redirect = URL.parse(target) ?? undefined;
  const given = fields.get('success_action_status')?.value;
  const status = given === '200' ? 200 : given === '201' ? 201 : 204;
  const isWeb = redirect?.protocol === 'http:' || redirect?.protocol === 'https:';
  return isWeb ? { redirect, status } : { status };
}

/** The address that the browser is sent to, with what was stored; `etag` in quotes. */
export function redirectLocation(redirect: URL, bucket: string, key: string, etag: string): string {
  const location = new URL(redirect);
  const told = `bucket=${encodeURIComponent(bucket)}&key=${encodeURIComponent(key)}&etag=${encodeURIComponent(etag)}`;
  location.search = location.search === '' ? told : `${location.search}&${told}`;
  return location.href;
}
