import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { HoldfastError, type Schema, type UnitHeader } from '@holdfast/contracts';

/*
 * The node's side of the data plane for units; the caller's side is clients/unit-store.client.ts, the schemas are in contracts.
 *
 *   PUT  /units/DEVICE/CHUNK/INDEX?k=&m=&chunk=&size=&bucket=&write=&epoch=   bytes -> {epoch, deviceGeneration}
 *   GET  /units/DEVICE/CHUNK/INDEX?offset=&length=&copy=                     -> bytes, x-holdfast-unit: k m chunk size bucket write
 *                                                                    204, x-holdfast-unit: absent
 *   POST /units/free?sha256=      JSON -> {}
 *   POST /units/list?sha256=      JSON -> {units}
 *   GET  /devices/DEVICE/status   -> JSON
 *
 * The authentication code covers method, path and query; a JSON body is bound to it by its digest in the query.
 */
export const UNIT_PATH = /^\/units\/([\w.-]{1,64})\/([0-9a-f]{32})\/(\d{1,2})$/;
export const STATUS_PATH = /^\/devices\/([\w.-]{1,64})\/status$/;

const JSON_BODY_BYTES_MAX = 4 * 1024 * 1024;

/** A query whose every number is checked. Errors: InvalidArgument. */
export class UnitQuery {
  private readonly fields: URLSearchParams;
  constructor(url: string) {
    const at = url.indexOf('?');
    this.fields = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  }
  text(name: string): string {
    return this.fields.get(name) ?? '';
  }
  digits(name: string): string {
    const text = this.text(name);
    if (!/^\d{1,20}$/.test(text)) throw new HoldfastError('InvalidArgument', `${name} is not a number`);
    return text;
  }
  count(name: string): number {
    const value = Number(this.digits(name));
    if (!Number.isSafeInteger(value)) throw new HoldfastError('InvalidArgument', `${name} is too large`);
    return value;
  }
}

export function headerOfQuery(chunkId: string, unitIndex: number, query: UnitQuery): UnitHeader {
  return {
    chunkId,
    unitIndex,
    k: query.count('k'),
    m: query.count('m'),
    chunkSizeBytes: query.count('chunk'),
    unitSizeBytes: query.count('size'),
    bucketId: BigInt(query.digits('bucket')),
    writeId: query.text('write'),
  };
}

export function headerField({ k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId }: UnitHeader): string {
  return `${k} ${m} ${chunkSizeBytes} ${unitSizeBytes} ${bucketId} ${writeId}`;
}

/** The JSON body of a request. Errors: MaxMessageLengthExceeded, Unauthenticated (another digest), SchemaViolation. */
export async function readJsonBody<T>(request: IncomingMessage, schema: Schema<T>): Promise<T> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > JSON_BODY_BYTES_MAX) throw new HoldfastError('MaxMessageLengthExceeded');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks);
  const digest = createHash('sha256').update(text).digest('hex');
  if (new UnitQuery(request.url ?? '').text('sha256') !== digest) throw new HoldfastError('Unauthenticated');
  return schema.decode(JSON.parse(text.toString('utf8')), 'body');
}
