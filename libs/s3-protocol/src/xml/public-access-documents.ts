import { KIB } from '@holdfast/stdx';
import { childrenOf, fieldsOf, malformedXml, readXml, textOf, type XmlLimits } from './xml-reader.js';
import { xmlDocument, xmlElement } from './xml-writer.js';

export const PUBLIC_ACCESS_BODY_MAX_BYTES = 8 * KIB;
const LIMITS: XmlLimits = { sizeMaxBytes: PUBLIC_ACCESS_BODY_MAX_BYTES, depthMax: 4, marksMax: 100 };

/** The four switches against public access, in the order in which S3 shows them. */
export const PUBLIC_ACCESS_SWITCHES = [
  'BlockPublicAcls',
  'IgnorePublicAcls',
  'BlockPublicPolicy',
  'RestrictPublicBuckets',
] as const;
export type PublicAccessBlock = Readonly<Record<(typeof PUBLIC_ACCESS_SWITCHES)[number], boolean>>;

/** A switch that is not there is off. @throws HoldfastError MalformedXML */
export function decodePublicAccessBlock(body: Buffer): PublicAccessBlock {
  const root = readXml(body, 'PublicAccessBlockConfiguration', LIMITS);
  const fields = fieldsOf(root, new Set(PUBLIC_ACCESS_SWITCHES));
  const isOn = (name: string): boolean => {
    const text = textOf(fields.get(name))?.trim().toLowerCase() ?? 'false';
    if (text !== 'true' && text !== 'false') throw malformedXml();
    return text === 'true';
  };
  return {
    BlockPublicAcls: isOn('BlockPublicAcls'),
    IgnorePublicAcls: isOn('IgnorePublicAcls'),
    BlockPublicPolicy: isOn('BlockPublicPolicy'),
    RestrictPublicBuckets: isOn('RestrictPublicBuckets'),
  };
}

export function encodePublicAccessBlock(block: PublicAccessBlock): string {
  return xmlDocument(
    'PublicAccessBlockConfiguration',
    PUBLIC_ACCESS_SWITCHES.map((name) => xmlElement(name, block[name])),
  );
}

export const OBJECT_OWNERSHIPS = ['BucketOwnerPreferred', 'ObjectWriter', 'BucketOwnerEnforced'] as const;
export type ObjectOwnership = (typeof OBJECT_OWNERSHIPS)[number];

/** Exactly one rule. @throws HoldfastError MalformedXML */
export function decodeOwnershipControls(body: Buffer): ObjectOwnership {
  const [rule, ...others] = childrenOf(readXml(body, 'OwnershipControls', LIMITS));
  if (rule?.name !== 'Rule' || others.length > 0) throw malformedXml();
  const text = textOf(fieldsOf(rule, new Set(['ObjectOwnership'])).get('ObjectOwnership'))?.trim();
  const ownership = OBJECT_OWNERSHIPS.find((one) => one === text);
  if (ownership === undefined) throw malformedXml();
  return ownership;
}

export function encodeOwnershipControls(ownership: ObjectOwnership): string {
  return xmlDocument('OwnershipControls', [xmlElement('Rule', [xmlElement('ObjectOwnership', ownership)])]);
}

export function encodePolicyStatus(isPublic: boolean): string {
  return xmlDocument('PolicyStatus', [xmlElement('IsPublic', isPublic)]);
}
