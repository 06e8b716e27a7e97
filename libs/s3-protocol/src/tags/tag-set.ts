import { KIB } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';
import { queryDecode } from '../target/percent-coding.js';
import { childrenOf, fieldsOf, malformedXml, readXml, textOf, type XmlLimits } from '../xml/xml-reader.js';
import { xmlDocument, xmlElement } from '../xml/xml-writer.js';

/** Key to value. */
export type TagSet = Readonly<Record<string, string>>;

export const OBJECT_TAGS_MAX = 10;
export const BUCKET_TAGS_MAX = 50;
export const TAGGING_BODY_MAX_BYTES = 256 * KIB;

const KEY_CHARACTERS_MAX = 128;
const VALUE_CHARACTERS_MAX = 256;
/** Letters, digits and spaces of any script, and these marks. */
const CHARACTERS = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
/** Reserved for the store itself. */
const SYSTEM_PREFIX = 'aws:';
/** Tags beyond the limit are still read, to be refused by their number. */
const LIMITS: XmlLimits = { sizeMaxBytes: TAGGING_BODY_MAX_BYTES, depthMax: 4, marksMax: 2 * (2 + 3 * 500) + 100 };
const TAGGING_FIELDS = new Set(['TagSet']);
const TAG_FIELDS = new Set(['Key', 'Value']);

/**
 * The document of PutObjectTagging and PutBucketTagging.
 * @throws HoldfastError MalformedXML, InvalidTag
 */
export function decodeTagging(body: Buffer, tagsMax: number): TagSet {
  const tagSet = fieldsOf(readXml(body, 'Tagging', LIMITS), TAGGING_FIELDS).get('TagSet');
  if (tagSet === undefined) throw malformedXml();
  const tags = childrenOf(tagSet).map((element): [string, string] => {
    if (element.name !== 'Tag') throw malformedXml();
    const fields = fieldsOf(element, TAG_FIELDS);
    const key = textOf(fields.get('Key'));
    const value = textOf(fields.get('Value'));
    if (key === undefined || value === undefined) throw malformedXml();
    return [key, value];
  });
  return tagSetOf(tags, tagsMax);
}

/**
 * `x-amz-tagging`: pairs as in a query; a pair without a value has an empty one.
 * @throws HoldfastError InvalidArgument (not such a text), InvalidTag
 */
export function parseTaggingHeader(header: string, tagsMax: number): TagSet {
  const tags = header
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): [string, string] => {
      const equals = pair.indexOf('=');
      return equals < 0 ? [decoded(pair), ''] : [decoded(pair.slice(0, equals)), decoded(pair.slice(equals + 1))];
    });
  return tagSetOf(tags, tagsMax);
}

function decoded(text: string): string {
  try {
    return queryDecode(text);
  } catch (cause) {
    const message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters.";
    throw new HoldfastError('InvalidArgument', message, { ArgumentName: 'x-amz-tagging' }, { cause });
  }
}

function tagSetOf(tags: readonly (readonly [key: string, value: string])[], tagsMax: number): TagSet {
  if (tags.length > tagsMax) throw new HoldfastError('InvalidTag', `There are more than ${tagsMax} tags.`);
  // A null prototype keeps a key such as __proto__ an ordinary key.
  const set = Object.create(null) as Record<string, string>;
  for (const [key, value] of tags) {
    const length = [...key].length;
    if (length === 0 || length > KEY_CHARACTERS_MAX || !CHARACTERS.test(key)) {
      throw new HoldfastError('InvalidTag', 'The TagKey you have provided is invalid', { TagKey: key.slice(0, 256) });
    }
    if ([...value].length > VALUE_CHARACTERS_MAX || !CHARACTERS.test(value)) {
      const details = { TagKey: key, TagValue: value.slice(0, 256) };
      throw new HoldfastError('InvalidTag', 'The TagValue you have provided is invalid', details);
    }
    if (key.toLowerCase().startsWith(SYSTEM_PREFIX)) {
      throw new HoldfastError('InvalidTag', 'System tags cannot be added or updated by a requester.', { TagKey: key });
    }
    if (key in set) {
      throw new HoldfastError('InvalidTag', 'Cannot provide multiple Tags with the same key', { TagKey: key });
    }
    set[key] = value;
  }
  return set;
}

/** Sorted by key, as bytes. */
export function encodeTagging(tags: TagSet): string {
  const keys = Object.keys(tags).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const elements = keys.map((key) => xmlElement('Tag', [xmlElement('Key', key), xmlElement('Value', tags[key])]));
  return xmlDocument('Tagging', [xmlElement('TagSet', elements)]);
}
