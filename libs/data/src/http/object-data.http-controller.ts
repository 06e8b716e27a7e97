import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  decodeChunkList,
  HoldfastError,
  isId,
  type CallContext,
  type ObjectData,
  type ReadRange,
  type WriteTarget,
} from '@holdfast/contracts';
import { answerJson, beginBody, type InternalHttpServer } from '@holdfast/service-host';

const CHUNK_LIST_BYTES_MAX = 64 * 1024 * 1024;

/*
 * The service's side of the data plane for objects; the caller's side is clients/object-data.client.ts.
 *
 *   POST /objects?bucket=&set=&write=&k=&m=&secondary=&expected=   bytes -> {writeId, sizeBytes, chunks, epoch, degraded}
 *   POST /objects/read?first=&last=&sha256=       packed chunk list -> the bytes, Content-Length last - first + 1
 *
 * A body that is cut short is no body: the write is abandoned. After its head, an answer that fails ends in a destroyed
 * connection. The authentication code covers path and query; the chunk list is bound to it by its digest.
 */
export class ObjectDataHttpController {
  constructor(private readonly objects: ObjectData) {}

  mount(server: InternalHttpServer): void {
    server.route('POST', /^\/objects$/, (request, response, call) => this.write(request, response, call));
    server.route('POST', /^\/objects\/read$/, (request, response, call) => this.read(request, response, call));
  }

  private async write(request: IncomingMessage, response: ServerResponse, call: CallContext): Promise<void> {
    const target = targetOf(request);
    // Leaving the body early must not destroy the connection: the error is still to be answered on it.
    const body = beginBody(request, response).iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    const written = await this.objects.write(call, target, body).catch((error: unknown) => {
      // Nobody is left to answer: a caller that goes away is no failure of this service.
      throw request.destroyed && !request.complete ? new HoldfastError('IncompleteBody') : error;
    });
    answerJson(response, 200, {
      writeId: written.writeId,
      sizeBytes: written.sizeBytes,
      chunks: written.chunks.toString('base64url'),
      epoch: String(written.epoch),
      degraded: written.degraded,
    });
  }

  private async read(request: IncomingMessage, response: ServerResponse, call: CallContext): Promise<void> {
    const range = await rangeOf(request);
    const bytes = this.objects.read(call, range)[Symbol.asyncIterator]();
    try {
      // The head goes out with the first byte, so that what fails before it is answered as an error.
      let step = await bytes.next();
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-length': range.lastByte - range.firstByte + 1,
      });
      for (; step.done !== true && !response.destroyed; step = await bytes.next()) await sent(response, step.value);
      if (!response.destroyed) response.end();
    } finally {
      await bytes.return?.();
    }
  }
}

function queryOf(request: IncomingMessage): URLSearchParams {
  const url = request.url ?? '';
  const at = url.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
}

function countOf(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '';
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
    throw new HoldfastError('InvalidArgument', `${name} is not a number`);
  return value;
}

function targetOf(request: IncomingMessage): WriteTarget {
  const query = queryOf(request);
  const bucket = query.get('bucket') ?? '';
  const writeId = query.get('write') ?? '';
  if (!/^\d{1,19}$/.test(bucket) || !isId(writeId))
    throw new HoldfastError('InvalidArgument', 'bucket or write is not an id');
  return {
    bucketId: BigInt(bucket),
    homeSetId: countOf(query, 'set'),
    profile: { k: countOf(query, 'k'), m: countOf(query, 'm'), secondary: query.get('secondary') === '1' },
    writeId,
    ...(query.has('expected') ? { expectedBytes: countOf(query, 'expected') } : {}),
  };
}

async function rangeOf(request: IncomingMessage): Promise<ReadRange> {
  const query = queryOf(request);
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    sizeBytes += piece.length;
    if (sizeBytes > CHUNK_LIST_BYTES_MAX) throw new HoldfastError('MaxMessageLengthExceeded');
    pieces.push(piece);
  }
  const packed = Buffer.concat(pieces);
  if (createHash('sha256').update(packed).digest('hex') !== query.get('sha256'))
    throw new HoldfastError('Unauthenticated');
  const chunks = decodeChunkList(packed);
  const firstByte = countOf(query, 'first');
  const lastByte = countOf(query, 'last');
  const totalBytes = chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
  if (firstByte > lastByte || lastByte >= totalBytes)
    throw new HoldfastError('InvalidArgument', 'the range lies outside the chunks');
  return { chunks, firstByte, lastByte };
}

/** Resolves when the socket does not look at the bytes any more: it took them all, or is closed. */
function sent(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('close', done);
      resolve();
    };
    response.on('close', done);
    response.write(bytes, done);
  });
}
