/** The store that the end-to-end tests drive: how it is reached, and what is done to its processes. */
import { S3Client } from '@aws-sdk/client-s3';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface ProcessRow {
  readonly name: string;
  readonly state: string;
  readonly pid: number;
}

/** What the tests read of `cluster.json`. */
export interface Plan {
  readonly nodes: readonly { name: string; setId: number; devices: readonly { deviceId: string }[] }[];
  readonly ports: Record<string, { http: number; s3?: number }>;
}

export interface Members {
  readonly plan: Plan;
  /** 64 hex digits. */
  readonly clusterSecret: string;
  /** Address at which the tests reach a process: asked each time, a container may come back at another. */
  hostOf(name: string): Promise<string>;
}

export abstract class TestedStore {
  abstract readonly endpoint: string;
  abstract readonly admin: string;
  abstract readonly root: Credentials;

  /** `status`, or `stop`, `kill`, `start` with the name of a process; the rows that it concerns. */
  abstract control(...words: string[]): Promise<ProcessRow[]>;
  /** What `npm run trace` prints for a request. */
  abstract trace(requestId: string): Promise<string>;
  abstract members(): Promise<Members>;
  /** SIGKILL of everything at once. */
  abstract kill(): Promise<unknown>;
  /** A clean stop. Resolves to its exit code. */
  abstract stop(): Promise<number | null>;
  /** Starts it on what it has kept and resolves when it is ready. */
  abstract launch(): Promise<void>;
  /** Undoes what the tests' start has done. */
  abstract remove(): Promise<void>;

  client(options: Partial<Credentials> & { endpoint?: string } = {}): S3Client {
    return new S3Client({
      endpoint: options.endpoint ?? this.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: {
        accessKeyId: options.accessKeyId ?? this.root.accessKeyId,
        secretAccessKey: options.secretAccessKey ?? this.root.secretAccessKey,
      },
    });
  }

  async token(body: object = this.root): Promise<string> {
    const answer = await fetch(`${this.admin}/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    return token;
  }
}

/** The header `x-amz-request-id` of an SDK answer. */
export function requestIdOf(answer: { $metadata: { requestId?: string } }): string {
  return answer.$metadata.requestId ?? '';
}

/** Polls until `probe` gives something, at most `seconds`. */
export async function eventually<T>(probe: () => Promise<T | undefined | false>, seconds = 30): Promise<T> {
  const untilMs = Date.now() + seconds * 1000;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > untilMs) throw new Error(`nothing came of it within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
