import type { ClientRequest, IncomingMessage } from 'node:http';
import {
  encodeChunkList,
  HoldfastError,
  ObjectData,
  s,
  type CallContext,
  type ReadRange,
  type WriteTarget,
  type WrittenPart,
} from '@holdfast/contracts';
import {
  digestOf,
  errorOfResponse,
  readWhole,
  unreachable,
  whenDrained,
  type DataPlaneConnections,
  type OutgoingRequest,
} from './data-plane-connections.js';

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

const writtenPart = s.object({
  writeId: s.hex(16),
  sizeBytes: s.integer(),
  chunks: s.bytes,
  epoch: s.bigint,
  degraded: s.boolean,
});

export interface RemoteObjectDataOptions {
  /** Names the instance for one call, host:port: any of them will do, none holds state. */
  readonly pickAddress: () => string;
  /** Longest wait for the service to take bytes, to send bytes or to answer. */
  readonly answerTimeoutMs?: number;
}

/** The data service in another process (the wire: data/http/object-data.http-controller.ts). */
export class RemoteObjectData extends ObjectData {
  private readonly pickAddress: () => string;
  private readonly answerTimeoutMs: number;

  constructor(
    private readonly connections: DataPlaneConnections,
    options: RemoteObjectDataOptions,
  ) {
    super();
    this.pickAddress = options.pickAddress;
    this.answerTimeoutMs = options.answerTimeoutMs ?? 30_000;
  }

  override async write(call: CallContext, target: WriteTarget, body: AsyncIterable<Buffer>): Promise<WrittenPart> {
    const address = this.pickAddress();
    const { bucketId, homeSetId, profile, writeId, expectedBytes } = target;
    const place = `bucket=${bucketId}&set=${homeSetId}&write=${writeId}`;
    const shape = `k=${profile.k}&m=${profile.m}&secondary=${profile.secondary ? 1 : 0}`;
    const path = `/objects?${place}&${shape}${expectedBytes === undefined ? '' : `&expected=${expectedBytes}`}`;
    const response = await this.send({ call, address, method: 'POST', path }, body);
    if (response.statusCode !== 200) throw await errorOfResponse(response, address);
    const text = (await readWhole(response, address, ANSWER_BYTES_MAX)).toString('utf8');
    return writtenPart.decode(JSON.parse(text), 'answer');
  }

  override read(call: CallContext, range: ReadRange): AsyncIterable<Buffer> {
    return {
      [Symbol.asyncIterator]: () =>
        new RemoteBytes(this.connections, this.pickAddress(), call, range, this.answerTimeoutMs),
    };
  }

  /** Silence counts only while the service owes a step: taking bytes that wait, or its answer. */
  private send(outgoing: OutgoingRequest, body: AsyncIterable<Buffer>): Promise<IncomingMessage> {
    const { call, address } = outgoing;
    const request = this.connections.begin(outgoing);
    let answered = false;
    const pump = async (): Promise<void> => {
      for await (const chunk of body) {
        if (request.destroyed || answered) return;
        if (chunk.length === 0 || request.write(chunk)) continue;
        this.connections.limitSilence(request, call, this.answerTimeoutMs);
        await whenDrained(request);
        this.connections.limitSilence(request, call, 0);
      }
      this.connections.limitSilence(request, call, this.answerTimeoutMs);
      request.end();
    };
    return new Promise<IncomingMessage>((resolve, reject) => {
      request.on('error', (error) => reject(unreachable(address, error)));
      request.once('response', (response) => {
        answered = true;
        if (!request.writableEnded) response.once('end', () => request.destroy());
        resolve(response);
      });
      pump().catch((error: unknown) => {
        // Destroyed, never ended: the service must not take a part of the body for the whole.
        reject(error as Error);
        request.destroy();
      });
    });
  }
}

/** The bytes of one range as they come. Leaving early gives the request up, at the service too. */
class RemoteBytes implements AsyncIterator<Buffer> {
  private request: ClientRequest | undefined;
  private chunks: AsyncIterator<Buffer> | undefined;
  private leftBytes: number;
  private left = false;

  constructor(
    private readonly connections: DataPlaneConnections,
    private readonly address: string,
    private readonly call: CallContext,
    private readonly range: ReadRange,
    private readonly answerTimeoutMs: number,
  ) {
    this.leftBytes = range.lastByte - range.firstByte + 1;
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.left || this.range.lastByte < this.range.firstByte) return { done: true, value: undefined };
    this.chunks ??= await this.open();
    const request = this.request as ClientRequest;
    try {
      this.connections.limitSilence(request, this.call, this.answerTimeoutMs);
      const step = await this.chunks.next();
      if (step.done !== true) {
        this.connections.limitSilence(request, this.call, 0);
        this.leftBytes -= step.value.length;
        if (this.leftBytes < 0) throw new Error('more bytes than announced');
        return step;
      }
      if (this.leftBytes > 0) throw new Error('fewer bytes than announced');
      return { done: true, value: undefined };
    } catch (error) {
      request.destroy();
      throw unreachable(this.address, error);
    }
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    this.left = true;
    if (this.leftBytes > 0) this.request?.destroy();
    return { done: true, value: undefined };
  }

  private async open(): Promise<AsyncIterator<Buffer>> {
    const { chunks, firstByte, lastByte } = this.range;
    const body = encodeChunkList(chunks);
    const path = `/objects/read?first=${firstByte}&last=${lastByte}&sha256=${digestOf(body)}`;
    const headers = { 'content-length': body.length };
    const outgoing = { call: this.call, address: this.address, method: 'POST' as const, path, headers };
    const response = await this.connections.exchange(outgoing, body, (request) => {
      this.request = request;
      // Its first byte may wait for memory that other readers hold.
      this.connections.limitSilence(request, this.call, this.answerTimeoutMs);
      if (this.left) request.destroy();
    });
    if (response.statusCode !== 200) throw await errorOfResponse(response, this.address);
    if (response.headers['content-length'] !== String(this.leftBytes)) {
      this.request?.destroy();
      throw new HoldfastError('ServiceUnavailable', `${this.address} announced another number of bytes than asked for`);
    }
    return (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }
}
