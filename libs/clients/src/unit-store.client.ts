import type { ClientRequest, IncomingMessage } from 'node:http';
import {
  FreeUnitsSchema,
  HoldfastError,
  LIMITS,
  ListedUnitsSchema,
  ListUnitsSchema,
  s,
  UNIT_HEADER_FIELD,
  UnitStore,
  type CallContext,
  type DatabaseIdentity,
  type DeviceLocation,
  type DeviceStatus,
  type LentUnit,
  type ListedUnit,
  type Schema,
  type UnitHeader,
  type UnitPosition,
  type UnitReadCall,
  type UnitReceipt,
} from '@holdfast/contracts';
import {
  digestOf,
  errorOfResponse,
  readWhole,
  unreachable,
  whenDrained,
  type DataPlaneConnections,
} from './data-plane-connections.js';

const JSON_BYTES_MAX = 16 * 1024 * 1024;

const receiptAnswer = s.object({ epoch: s.bigint, deviceGeneration: s.integer() });
const statusAnswer = s.object({
  deviceId: s.string(64),
  state: s.oneOf('live', 'full', 'dead'),
  capacityBytes: s.integer(),
  freeBytes: s.integer(),
  unitCount: s.integer(),
});

const pathOf = (device: DeviceLocation, unit: UnitPosition): string =>
  `/units/${device.deviceId}/${unit.chunkId}/${unit.unitIndex}`;

/** Units on the devices of other processes (the wire: data-node/http/unit-wire.codec.ts). */
export class RemoteUnitStore extends UnitStore {
  constructor(private readonly connections: DataPlaneConnections) {
    super();
  }

  override async write(
    call: CallContext,
    device: DeviceLocation,
    header: UnitHeader,
    epoch: bigint,
    pull: () => AsyncIterable<Buffer>,
  ): Promise<UnitReceipt> {
    const { k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId } = header;
    const query = `k=${k}&m=${m}&chunk=${chunkSizeBytes}&size=${unitSizeBytes}&bucket=${bucketId}&write=${writeId}&epoch=${epoch}`;
    const path = `${pathOf(device, header)}?${query}`;
    const inline = unitSizeBytes <= LIMITS.inlineUnitBytesMax;
    const response = inline
      ? await this.sendInline(call, device, path, unitSizeBytes, pull)
      : await this.sendWhenAsked(call, device, path, unitSizeBytes, pull);
    return this.answerOf(response, device, receiptAnswer);
  }

  override async read(
    call: UnitReadCall,
    device: DeviceLocation,
    unit: UnitPosition,
    offset: number,
    length: number,
  ): Promise<LentUnit | undefined> {
    const copy = call.copy === 'secondary' ? 'secondary' : 'primary';
    const path = `${pathOf(device, unit)}?offset=${offset}&length=${length}&copy=${copy}`;
    const response = await this.connections.exchange({ call, address: device.address, method: 'GET', path });
    const field = response.headers[UNIT_HEADER_FIELD];
    // "Not here" is said in so many words: any other answer without bytes is an error.
    if (response.statusCode === 204 && field === 'absent') {
      response.resume();
      return undefined;
    }
    if (response.statusCode !== 200) throw await errorOfResponse(response, device.address);
    const bytes = await readWhole(response, device.address, length);
    return { header: unitHeaderOf(unit, field, device), bytes, release: ownMemory };
  }

  override async free(
    call: CallContext,
    device: DeviceLocation,
    units: readonly UnitPosition[],
    database: DatabaseIdentity,
  ): Promise<void> {
    const asked = units.map(({ chunkId, unitIndex }) => ({ chunkId, unitIndex }));
    const { clusterId, generation, sequence } = database;
    const { deviceId } = device;
    const body = { deviceId, units: asked, database: { clusterId, generation, sequence } };
    await this.post(call, device, '/units/free', FreeUnitsSchema.encode(body, 'free'), s.object({}));
  }

  override async list(
    call: CallContext,
    device: DeviceLocation,
    query: { after?: UnitPosition; limit: number; minimumAgeMs: number },
  ): Promise<ListedUnit[]> {
    const after = query.after && { chunkId: query.after.chunkId, unitIndex: query.after.unitIndex };
    const { limit, minimumAgeMs } = query;
    const body = ListUnitsSchema.encode({ deviceId: device.deviceId, after, limit, minimumAgeMs }, 'list');
    return (await this.post(call, device, '/units/list', body, ListedUnitsSchema)).units;
  }

  override async status(call: CallContext, device: DeviceLocation): Promise<DeviceStatus> {
    const path = `/devices/${device.deviceId}/status`;
    const response = await this.connections.exchange({ call, address: device.address, method: 'GET', path });
    return this.answerOf(response, device, statusAnswer);
  }

  private async sendInline(
    call: CallContext,
    device: DeviceLocation,
    path: string,
    sizeBytes: number,
    pull: () => AsyncIterable<Buffer>,
  ): Promise<IncomingMessage> {
    const chunks: Buffer[] = [];
    for await (const chunk of pull()) chunks.push(chunk);
    const bytes = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    if (bytes.length !== sizeBytes) throw new HoldfastError('IncompleteBody', 'the pull gave another length');
    const headers = { 'content-length': sizeBytes };
    return this.connections.exchange({ call, address: device.address, method: 'PUT', path, headers }, bytes);
  }

  /** The node asks for the bytes (100 Continue) when it has room for them; without that none are sent. */
  private sendWhenAsked(
    call: CallContext,
    device: DeviceLocation,
    path: string,
    sizeBytes: number,
    pull: () => AsyncIterable<Buffer>,
  ): Promise<IncomingMessage> {
    const headers = { 'content-length': sizeBytes, expect: '100-continue' };
    const request = this.connections.begin({ call, address: device.address, method: 'PUT', path, headers });
    return new Promise<IncomingMessage>((resolve, reject) => {
      const fail = (error: unknown): void => {
        request.destroy();
        reject(unreachable(device.address, error));
      };
      request.on('error', fail);
      request.once('continue', () => void pump(request, pull(), sizeBytes).catch(fail));
      request.once('response', (response) => {
        // Refused before or while the bytes came: the connection cannot be used for another request.
        if (!request.writableEnded) response.once('end', () => request.destroy());
        resolve(response);
      });
      this.connections.limitSilence(request, call, this.connections.silenceTimeoutMs);
      request.flushHeaders();
    });
  }

  private async post<T>(
    call: CallContext,
    device: DeviceLocation,
    route: string,
    json: unknown,
    schema: Schema<T>,
  ): Promise<T> {
    const body = Buffer.from(JSON.stringify(json));
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const path = `${route}?sha256=${digestOf(body)}`;
    const outgoing = { call, address: device.address, method: 'POST' as const, path, headers };
    return this.answerOf(await this.connections.exchange(outgoing, body), device, schema);
  }

  private async answerOf<T>(response: IncomingMessage, device: DeviceLocation, schema: Schema<T>): Promise<T> {
    if (response.statusCode !== 200) throw await errorOfResponse(response, device.address);
    const text = (await readWhole(response, device.address, JSON_BYTES_MAX)).toString('utf8');
    return schema.decode(JSON.parse(text), 'answer');
  }
}

/** What came over a connection is the caller's own. */
function ownMemory(): void {}

async function pump(request: ClientRequest, bytes: AsyncIterable<Buffer>, sizeBytes: number): Promise<void> {
  let sentBytes = 0;
  for await (const chunk of bytes) {
    sentBytes += chunk.length;
    if (sentBytes > sizeBytes) break;
    if (request.destroyed) return;
    if (!request.write(chunk)) await whenDrained(request);
  }
  if (sentBytes !== sizeBytes) throw new HoldfastError('IncompleteBody', 'the pull gave another length');
  request.end();
}

function unitHeaderOf(unit: UnitPosition, field: string | string[] | undefined, device: DeviceLocation): UnitHeader {
  const [k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId] = String(field).split(' ');
  const numbers = [k, m, chunkSizeBytes, unitSizeBytes].map(Number);
  if (writeId === undefined || !numbers.every(Number.isSafeInteger) || !/^\d+$/.test(bucketId))
    throw new HoldfastError('ServiceUnavailable', `${device.address} answered without a unit header`);
  return {
    chunkId: unit.chunkId,
    unitIndex: unit.unitIndex,
    k: numbers[0],
    m: numbers[1],
    chunkSizeBytes: numbers[2],
    unitSizeBytes: numbers[3],
    bucketId: BigInt(bucketId),
    writeId,
  };
}
