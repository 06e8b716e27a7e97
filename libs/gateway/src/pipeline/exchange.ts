import type { ByteBudget } from '@holdfast/service-host';
import { Deadline, type Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  type CallContext,
  type Caller,
  type Decision,
  type FlowName,
  type Identity,
  type IdentityAdministration,
  type Metadata,
  type ObjectData,
  type TraceLog,
} from '@holdfast/contracts';
import type { ChunkSigning, PayloadMode } from '@holdfast/s3-protocol';
import type { HttpLimits } from '../gateway-options.js';
import type { AccessJudgement } from './access-judgement.js';
import type { BucketAccess } from './bucket-access.js';
import type { BucketCors } from './bucket-cors.js';
import type { S3Request } from './request.js';

/** What every operation may use. Made once per process. */
export interface GatewayServices {
  readonly identity: Identity;
  /** Without it there is no IAM protocol at this endpoint. */
  readonly administration?: IdentityAdministration;
  readonly metadata: Metadata;
  readonly data: ObjectData;
  readonly trace: TraceLog;
  readonly clock: Clock;
  readonly region: string;
  readonly limits: HttpLimits;
  readonly buckets: BucketAccess;
  /** Of the bytes of copies on their way. */
  readonly copyMemory: ByteBudget;
  readonly cors: BucketCors;
}

/** The bytes that an operation may read: the body of the request, or the file of a form. */
export interface BodySource {
  /** To be called once. */
  chunks(): AsyncIterable<Buffer>;
  /** All of it, where it is here already; undefined, with nothing read, where it is not: then `chunks` gives it. */
  whole?(): Buffer | Promise<Buffer | undefined> | undefined;
}

/** What authentication and authorisation found out about a request. */
export interface Grant {
  readonly caller: Caller;
  readonly access: AccessJudgement;
  /** Answers to the optional checks of the operation, in their order; final once the bucket was checked. */
  readonly asked: readonly Decision[];
  readonly payload: PayloadMode;
  /** Present for bodies of signed chunks. */
  readonly chunkSigning?: ChunkSigning;
}

/** One authorised request on its way through its operation. */
export class Exchange {
  constructor(
    readonly services: GatewayServices,
    readonly request: S3Request,
    readonly flow: FlowName | undefined,
    readonly grant: Grant,
    readonly body: BodySource,
  ) {}

  get caller(): Caller {
    return this.grant.caller;
  }

  /** Of an operation on a bucket or an object. */
  get bucketName(): string {
    return this.request.target.bucket ?? missing('bucket');
  }

  /** Of an operation on an object. */
  get key(): string {
    return this.request.target.key ?? missing('key');
  }

  /** For a call to identity or metadata. */
  controlCall(): CallContext {
    return this.call(this.services.limits.controlTimeoutMs);
  }

  /** For the bytes of one body. */
  transferCall(): CallContext {
    return this.call(this.services.limits.transferTimeoutMs);
  }

  step(number: number, detail = ''): void {
    this.services.trace.step({ requestId: this.request.requestId, flow: this.flow }, number, detail);
  }

  private call(timeoutMs: number): CallContext {
    return callOf(this.request.requestId, this.flow, timeoutMs, this.services.clock);
  }
}

export function callOf(requestId: string, flow: FlowName | undefined, timeoutMs: number, clock: Clock): CallContext {
  const deadline = Deadline.in(timeoutMs, clock);
  return flow === undefined ? { requestId, deadline } : { requestId, deadline, flow };
}

function missing(what: string): never {
  throw new HoldfastError('InternalError', `the operation needs a ${what} that the request does not name`);
}
