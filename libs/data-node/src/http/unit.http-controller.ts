import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  FreeUnitsSchema,
  HoldfastError,
  LIMITS,
  ListedUnitsSchema,
  ListUnitsSchema,
  UNIT_HEADER_FIELD,
  type CallContext,
  type DeviceLocation,
  type UnitReadCall,
} from '@holdfast/contracts';
import { answerJson, beginBody, ByteBudget, type InternalHttpServer } from '@holdfast/service-host';
import type { DeviceScrubber } from '../device-scrub.worker.js';
import type { LocalUnitStore } from '../local-unit-store.js';
import { headerField, headerOfQuery, readJsonBody, STATUS_PATH, UNIT_PATH, UnitQuery } from './unit-wire.codec.js';

const READ_BUFFER_BYTES = 64 * 1024 * 1024;
/** A sender that was asked for its bytes and stays silent for so long loses its claim: the connection is closed. */
const SENDER_SILENCE_MS = 10_000;

/** Node and address of a device are the caller's business; here only its id counts. */
const here = (deviceId: string): DeviceLocation => ({ deviceId, nodeId: '', address: '' });

/** The units of this process for callers in other processes. */
export class UnitHttpController {
  /** Answers wait here before their bytes are read, so that slow callers cannot fill the memory. */
  private readonly readBuffers: ByteBudget;

  constructor(
    private readonly units: LocalUnitStore,
    private readonly scrubber: Pick<DeviceScrubber, 'states'> = { states: [] },
    options: { readBufferBytes?: number } = {},
  ) {
    this.readBuffers = new ByteBudget(options.readBufferBytes ?? READ_BUFFER_BYTES);
  }

  mount(server: InternalHttpServer): void {
    server.route('PUT', UNIT_PATH, (request, response, call, match) => this.write(request, response, call, match));
    server.route('GET', UNIT_PATH, (request, response, call, match) => this.read(request, response, call, match));
    server.route('POST', /^\/units\/free$/, (request, response, call) => this.free(request, response, call));
    server.route('POST', /^\/units\/list$/, (request, response, call) => this.list(request, response, call));
    server.route('GET', /^\/scrub$/, async (_request, response) => answerJson(response, 200, this.scrubber.states));
    server.route('GET', STATUS_PATH, async (_request, response, call, match) => {
      answerJson(response, 200, await this.units.status(call, here(match[1])));
    });
  }

  private async write(
    request: IncomingMessage,
    response: ServerResponse,
    call: CallContext,
    match: RegExpExecArray,
  ): Promise<void> {
    const query = new UnitQuery(request.url ?? '');
    const header = headerOfQuery(match[2], Number(match[3]), query);
    const epoch = BigInt(query.digits('epoch'));
    if (request.headers['content-length'] !== String(header.unitSizeBytes))
      throw new HoldfastError('IncompleteBody', 'the request announces another number of bytes than its unit has');
    // The store pulls only after it has claimed space: until then a sender that waits for 100 Continue sends nothing.
    const receipt = await this.units.write(call, here(match[1]), header, epoch, () => {
      request.setTimeout(SENDER_SILENCE_MS);
      return beginBody(request, response);
    });
    request.setTimeout(0);
    answerJson(response, 200, { epoch: String(receipt.epoch), deviceGeneration: receipt.deviceGeneration });
  }

  private async read(
    request: IncomingMessage,
    response: ServerResponse,
    call: CallContext,
    match: RegExpExecArray,
  ): Promise<void> {
    const query = new UnitQuery(request.url ?? '');
    const lengthBytes = Math.min(query.count('length'), LIMITS.chunkBytesMax);
    const copy = query.text('copy') === 'secondary' ? 'secondary' : 'primary';
    const counted = lengthBytes > LIMITS.inlineUnitBytesMax ? lengthBytes : 0;
    if (counted > 0) await this.readBuffers.take(counted, call.deadline);
    try {
      const readCall: UnitReadCall = { ...call, copy };
      const position = { chunkId: match[2], unitIndex: Number(match[3]) };
      const found = await this.units.read(readCall, here(match[1]), position, query.count('offset'), lengthBytes);
      if (found === undefined) {
        response.writeHead(204, { [UNIT_HEADER_FIELD]: 'absent' }).end();
        return;
      }
      response.writeHead(200, {
        'content-length': found.bytes.length,
        'content-type': 'application/octet-stream',
        [UNIT_HEADER_FIELD]: headerField(found.header),
      });
      response.end(found.bytes);
      if (counted > 0) await whenSent(response);
      // What a caller that left did not take may still stand in a queue: its memory is left to the garbage collector.
      if (response.writableFinished) found.release();
    } finally {
      if (counted > 0) this.readBuffers.give(counted);
    }
  }

  private async free(request: IncomingMessage, response: ServerResponse, call: CallContext): Promise<void> {
    const { deviceId, units, database } = await readJsonBody(request, FreeUnitsSchema);
    await this.units.free(call, here(deviceId), units, database);
    answerJson(response, 200, {});
  }

  private async list(request: IncomingMessage, response: ServerResponse, call: CallContext): Promise<void> {
    const { deviceId, ...query } = await readJsonBody(request, ListUnitsSchema);
    const units = await this.units.list(call, here(deviceId), query);
    answerJson(response, 200, ListedUnitsSchema.encode({ units: units.map(listed) }, 'answer'));
  }
}

/** Exactly the fields of the wire: a store may carry more in its headers. */
function listed(unit: Awaited<ReturnType<LocalUnitStore['list']>>[number]) {
  const { chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId, writtenAtMs } = unit;
  return { chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId, writtenAtMs };
}

function whenSent(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.closed || response.writableFinished) return resolve();
    response.once('finish', resolve);
    response.once('close', resolve);
  });
}
