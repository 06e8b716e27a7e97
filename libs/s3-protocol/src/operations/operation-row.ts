/** A version or a part instead of the whole: who names one must not get, change or lose another. */
export const ABOUT_PARAMETERS = ['versionId', 'partNumber'] as const;
export type AboutParameter = (typeof ABOUT_PARAMETERS)[number];

/** One operation of S3 as data: what it is called, what request means it, and what it takes to be allowed. */
export interface S3Operation {
  /** As AWS spells it. */
  readonly name: string;
  /** What the path names. */
  readonly level: 'service' | 'bucket' | 'object';
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS';
  /** `true`: the parameter is there, with any value or none; a text: it has this value. */
  readonly query?: Readonly<Record<string, true | string>>;
  /** Which of the two say what the request is about, beside `query`. Where they say nothing they are refused, not ignored. */
  readonly takes?: readonly AboutParameter[];
  /** Lower-case names that must be there. */
  readonly headers?: readonly string[];
  /** The IAM action asked for; `none` where S3 asks for no permission. */
  readonly action: string;
  /** `form`: multipart/form-data, and only that. */
  readonly body: 'none' | 'xml' | 'stream' | 'form';
  /** The event that a success announces, without the `s3:` in front. */
  readonly event?: string;
  /** `planned` answers 501 NotImplemented by its name. */
  readonly status: 'served' | 'planned';
}
