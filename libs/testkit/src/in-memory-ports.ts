import { TraceLog, type CallContext, type Identity, type Metadata, type ObjectData } from '@holdfast/contracts';
import { systemClock, type Clock } from '@holdfast/stdx';
import { InMemoryIdentity } from './in-memory-identity.js';
import { InMemoryMetadata } from './in-memory-metadata.js';
import { InMemoryObjectData } from './in-memory-object-data.js';

/** One call that reached a port: `metadata.commitObject`. */
export interface RecordedCall {
  readonly port: 'identity' | 'metadata' | 'data';
  readonly name: string;
  readonly requestId: string;
}

/** The three ports in memory, with every call that reached one of them, in order. */
export class InMemoryPorts {
  readonly calls: RecordedCall[] = [];
  readonly trace = new TraceLog('test');
  readonly memoryIdentity: InMemoryIdentity;
  readonly memoryMetadata: InMemoryMetadata;
  readonly memoryData: InMemoryObjectData;
  readonly identity: Identity;
  readonly metadata: Metadata;
  readonly data: ObjectData;

  constructor(
    readonly clock: Clock = systemClock,
    chunkBytesMax?: number,
  ) {
    this.memoryIdentity = new InMemoryIdentity(clock);
    this.memoryMetadata = new InMemoryMetadata(clock);
    this.memoryData = new InMemoryObjectData(chunkBytesMax);
    this.identity = this.recorded('identity', this.memoryIdentity);
    this.metadata = this.recorded('metadata', this.memoryMetadata);
    this.data = this.recorded('data', this.memoryData);
  }

  /** Names of the calls to metadata and data so far. */
  get backendCalls(): string[] {
    return this.calls.filter(({ port }) => port !== 'identity').map(({ port, name }) => `${port}.${name}`);
  }

  forgetCalls(): void {
    this.calls.length = 0;
  }

  private recorded<T extends object>(port: RecordedCall['port'], target: T): T {
    const { calls } = this;
    return new Proxy(target, {
      get(object, property) {
        const value: unknown = Reflect.get(object, property);
        if (typeof value !== 'function' || typeof property !== 'string') return value;
        return (call: CallContext, ...rest: unknown[]): unknown => {
          calls.push({ port, name: property, requestId: call.requestId });
          return (value as (...args: unknown[]) => unknown).call(object, call, ...rest);
        };
      },
    });
  }
}
