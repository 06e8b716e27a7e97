import type { RootCredentials } from './first-start.js';

export interface Welcome {
  /** host:port of the S3 listener as a client reaches it. */
  readonly endpoint: string;
  readonly admin: string;
  readonly credentials: RootCredentials;
  readonly dataDirectory: string;
}

/** What a person needs next: where it listens, with which key, and a line that works when pasted. The secret is shown once. */
export function welcomeText(welcome: Welcome): string {
  const { credentials } = welcome;
  const secret = credentials.drawn ? credentials.secretAccessKey : '(not shown again)';
  const exported = credentials.drawn
    ? `  export AWS_ACCESS_KEY_ID=${credentials.accessKeyId} AWS_SECRET_ACCESS_KEY=${credentials.secretAccessKey} AWS_DEFAULT_REGION=us-east-1`
    : `  export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_DEFAULT_REGION=us-east-1   # from ${credentials.source}`;
  return [
    '',
    'Holdfast is ready.',
    `  S3 endpoint   ${welcome.endpoint}`,
    `  Admin         ${welcome.admin}`,
    `  Data          ${welcome.dataDirectory}`,
    `  Access key    ${credentials.accessKeyId}`,
    `  Secret key    ${secret}${credentials.drawn ? `   (kept in ${credentials.source})` : `   (from ${credentials.source})`}`,
    '',
    'Try it:',
    exported,
    `  aws --endpoint-url ${welcome.endpoint} s3 mb s3://first`,
    `  aws --endpoint-url ${welcome.endpoint} s3 cp README.md s3://first/README.md`,
    '',
    'Ctrl-C stops it; the next start finds the data.',
    '',
  ].join('\n');
}
