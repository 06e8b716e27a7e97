/**
 * A device in memory that cuts the power, fails and lies. What it promises, and a disk does: after a flush resolves, every
 * write that resolved before the flush began is kept. What it does not promise: anything about writes since then. Each
 * 4 KiB piece of those may be kept, lost, or torn at a 512-byte boundary, in any combination.
 *
 * It records what happens (`events`), so that all states a crash can leave are built later from one run.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import { DeviceFile, DevicePort, type BlockKind } from './device.port.js';

export type CallKind = 'write' | 'flush';

/** What happens to the numbered call (writes and flushes count together, from 1). */
export type FaultPlan = (call: number, kind: CallKind) => 'EIO' | 'ENOSPC' | undefined;

/** A block of 4 KiB on its way. */
export interface BlockOnItsWay extends Piece {
  readonly kind: BlockKind;
  readonly device: string;
  /** Its number within its call, from 0. */
  readonly index: number;
}

/** What a device that lies does with a block of a write that it acknowledges: nothing, or puts it elsewhere. */
export type LiePlan = (block: BlockOnItsWay) => 'lost' | { readonly position: number } | undefined;

export interface SimulatedWrite {
  /** From 0, in the order of the calls. */
  readonly index: number;
  readonly kind: BlockKind;
  readonly position: number;
  readonly sizeBytes: number;
}

export interface Piece {
  readonly position: number;
  readonly bytes: Buffer;
}

export type DeviceEvent =
  | {
      readonly type: 'write';
      readonly device: string;
      readonly call: number;
      readonly kind: BlockKind;
      readonly pieces: readonly Piece[];
    }
  /** The writes of these calls are durable from here on. */
  | {
      readonly type: 'durable';
      readonly device: string;
      readonly calls: readonly number[];
      readonly by: 'flush' | 'write-through';
    };

export interface SimulatedDeviceOptions {
  readonly fault?: FaultPlan;
  readonly lie?: LiePlan;
  /** Every call waits for it; a test reorders or delays calls with it. */
  readonly turn?: (kind: CallKind | 'read') => Promise<void>;
  /** The image is not copied: whoever gave it changes nothing meanwhile, and what is written stands in it. */
  readonly isImageShared?: boolean;
  /** Tells the devices of one recording apart. */
  readonly name?: string;
  /** Gets every event, in order. */
  readonly record?: (event: DeviceEvent) => void;
}

const noTurn = (): Promise<void> => Promise.resolve();

export class SimulatedDevice extends DeviceFile {
  /** What a read sees: all writes so far, flushed or not. */
  readonly image: Buffer;
  readonly events: DeviceEvent[] = [];
  private readonly name: string;
  readonly writes: SimulatedWrite[] = [];
  readonly reads: Record<BlockKind, number> = { superblock: 0, log: 0, page: 0, data: 0 };
  /** Write and flush calls so far. */
  calls = 0;
  flushes = 0;
  /** Calls of writes that resolved and are not durable. */
  private readonly settled = new Set<number>();
  private closed = false;

  constructor(
    image: Buffer,
    private readonly options: SimulatedDeviceOptions = {},
  ) {
    super();
    this.image = options.isImageShared === true ? image : Buffer.from(image);
    this.name = options.name ?? '';
  }

  override async read(target: Uint8Array, position: number, kind: BlockKind): Promise<number> {
    this.checkOpen();
    this.reads[kind] += 1;
    await (this.options.turn ?? noTurn)('read');
    const source = this.image.subarray(position, position + target.length);
    target.set(source);
    return source.length;
  }

  override async write(buffers: readonly Uint8Array[], position: number, kind: BlockKind): Promise<void> {
    this.settled.add(await this.put(buffers, position, kind));
  }

  override async writeThrough(bytes: Uint8Array, position: number, kind: BlockKind): Promise<void> {
    const call = await this.put([bytes], position, kind);
    this.note({ type: 'durable', device: this.name, calls: [call], by: 'write-through' });
  }

  override async flush(): Promise<void> {
    this.checkOpen();
    const covered = [...this.settled];
    await this.call('flush');
    for (const call of covered) this.settled.delete(call);
    this.note({ type: 'durable', device: this.name, calls: covered, by: 'flush' });
    this.flushes += 1;
  }

  override memory(sizeBytes: number): Buffer {
    return Buffer.alloc(sizeBytes);
  }

  override async sizeBytes(): Promise<number> {
    return this.image.length;
  }

  override async reserve(): Promise<boolean> {
    this.checkOpen();
    return false;
  }

  override async close(): Promise<void> {
    this.closed = true;
  }

  private async put(buffers: readonly Uint8Array[], position: number, kind: BlockKind): Promise<number> {
    this.checkOpen();
    const bytes = Buffer.concat(buffers);
    const write = { index: this.writes.length, kind, position, sizeBytes: bytes.length };
    this.writes.push(write);
    const pieces = piecesOf(bytes, position).flatMap((piece, index) => this.arriving(piece, kind, index));
    for (const piece of pieces) piece.bytes.copy(this.image, piece.position);
    const call = this.calls + 1;
    // A write that fails has still reached the device in any part.
    this.note({ type: 'write', device: this.name, call, kind, pieces });
    await this.call('write');
    return call;
  }

  /** Where a block of a write really goes. */
  private arriving(piece: Piece, kind: BlockKind, index: number): Piece[] {
    const lie = this.options.lie?.({ ...piece, kind, index, device: this.name });
    if (lie === 'lost') return [];
    return [lie === undefined ? piece : { ...piece, position: lie.position }];
  }

  private note(event: DeviceEvent): void {
    this.events.push(event);
    this.options.record?.(event);
  }

  private async call(kind: CallKind): Promise<void> {
    this.calls += 1;
    const fault = this.options.fault?.(this.calls, kind);
    await (this.options.turn ?? noTurn)(kind);
    if (fault !== undefined) throw Object.assign(new Error(`${fault}: simulated`), { code: fault });
  }

  private checkOpen(): void {
    if (this.closed) throw Object.assign(new Error('the device is closed'), { code: 'EBADF' });
  }
}

function piecesOf(bytes: Buffer, position: number): Piece[] {
  const pieces: Piece[] = [];
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    pieces.push({ position: position + from, bytes: bytes.subarray(from, from + BLOCK_BYTES) });
  }
  return pieces;
}

/** Hands out simulated devices by path. */
export class SimulatedDevicePort extends DevicePort {
  private readonly claimed = new Set<string>();

  constructor(private readonly devices: Readonly<Record<string, SimulatedDevice>>) {
    super();
  }

  override async open(path: string): Promise<DeviceFile> {
    const device = this.devices[path];
    if (device === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
    return device;
  }

  override async create(path: string): Promise<DeviceFile> {
    return this.open(path);
  }

  override async claim(deviceId: string, path: string): Promise<() => Promise<void>> {
    if (this.claimed.has(deviceId)) throw new Error(`${path} is open already`);
    this.claimed.add(deviceId);
    return async () => {
      this.claimed.delete(deviceId);
    };
  }
}
