import { HoldfastError } from '@holdfast/contracts';
import { boundaryOf, decodeUtf8 } from './part-head.js';
import { MultipartReader } from './multipart-reader.js';

/** Everything in front of the file's content, as S3 documents it. */
export const FORM_FIELDS_MAX_BYTES = 20 * 1024;
const FIELDS_MAX = 100;
const FILE = 'file';
const FILE_NAME_VARIABLE = '${filename}';
/** Proofs are what was signed, or signatures: nothing is put into them. */
const WITHOUT_VARIABLES = new Set(['policy', 'signature', 'x-amz-signature']);

/** One field of a form: names are compared without case. */
export interface FormField {
  /** As sent. */
  readonly name: string;
  readonly value: string;
}

/** A form as far as its file: the fields are known, the file's bytes have not been asked for. */
export interface UploadForm {
  /** By lower-case name, `${filename}` replaced. */
  readonly fields: ReadonlyMap<string, FormField>;
  /** Of the rest of the body: the file has fewer. */
  readonly fileBytesMax: number;
  /** To be called once; ends cleanly only when the form did. */
  readonly file: () => AsyncIterable<Buffer>;
}

/**
 * Reads a form up to its file. What follows the file is read over.
 * @param sizeBytes of the whole body
 * @throws HoldfastError MalformedPOSTRequest, MaxPostPreDataLengthExceeded, InvalidArgument (no file, a field given twice,
 *   too many fields), and what the source throws
 */
export async function readUploadForm(
  source: AsyncIterable<Buffer>,
  contentType: string,
  sizeBytes: number,
): Promise<UploadForm> {
  const reader = new MultipartReader(source, boundaryOf(contentType), FORM_FIELDS_MAX_BYTES);
  const fields = new Map<string, FormField>();
  await reader.begin();
  for (let head = await reader.nextHead(); head !== undefined; head = await reader.nextHead()) {
    const lowerName = head.name.toLowerCase();
    if (lowerName === FILE) {
      const fileBytesMax = sizeBytes - reader.consumedBytes;
      insertFileName(fields, fileNameOf(head.fileName ?? ''));
      return { fields, fileBytesMax, file: () => reader.content() };
    }
    if (fields.has(lowerName)) throw invalidForm(head.name, 'A form field is given more than once.');
    if (fields.size >= FIELDS_MAX) throw invalidForm(head.name, 'The form has too many fields.');
    fields.set(lowerName, { name: head.name, value: decodeUtf8(await reader.value()) });
  }
  throw invalidForm(FILE, 'POST requires exactly one file upload per request.');
}

/** Old browsers send a whole path: the name is what follows its last slash, of either kind. */
function fileNameOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

function insertFileName(fields: Map<string, FormField>, fileName: string): void {
  for (const [lowerName, { name, value }] of fields) {
    if (!value.includes(FILE_NAME_VARIABLE) || WITHOUT_VARIABLES.has(lowerName)) continue;
    // Not `replaceAll` with a text: `$&` in the name of a file would mean something.
    fields.set(lowerName, { name, value: value.split(FILE_NAME_VARIABLE).join(fileName) });
  }
}

export function invalidForm(fieldName: string, message: string): HoldfastError {
  return new HoldfastError('InvalidArgument', message, { ArgumentName: fieldName.slice(0, 128) });
}
