/**
 * A device in memory that cuts the power. What it promises, and a disk does: after a flush resolves, every write that
 * resolved before the flush began is kept. What it does not promise: anything about writes since then. Each 4 KiB piece
 * of those may be kept, lost, or torn at a 512-byte boundary, in any combination.
 *
 * Not simulated: misdirected writes and sectors that turn unreadable later; tests flip bits in the image for that.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import { DeviceFile, DevicePort } from './device.port.js';

/** What happens to the numbered call (writes and flushes count together, from 1). */
export type FaultPlan = (call: number, kind: 'write' | 'flush') => 'EIO' | 'ENOSPC' | 'cut' | undefined;

interface Piece {
  readonly position: number;
  readonly bytes: Buffer;
}

export class SimulatedDevice extends DeviceFile {
  /** What is durable. */
  readonly image: Buffer;
  /** Written and not yet durable, in order. */
  unflushed: Piece[] = [];
  calls = 0;
  flushes = 0;
  cut = false;
  /** Every write so far: position and size. */
  readonly writes: { position: number; sizeBytes: number }[] = [];
  /** Reads wait for this first; a test holds one back. */
  beforeRead: Promise<void> = Promise.resolve();
  private readonly seen: Buffer;

  constructor(
    image: Buffer,
    private readonly fault: FaultPlan = () => undefined,
  ) {
    super();
    this.image = Buffer.from(image);
    this.seen = Buffer.from(image);
  }

  override async read(target: Uint8Array, position: number): Promise<number> {
    await this.beforeRead;
    await turn();
    if (this.cut) throw new Error('power is cut');
    const source = this.seen.subarray(position, position + target.length);
    target.set(source);
    return source.length;
  }

  override async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    const fault = this.begin('write');
    const bytes = Buffer.concat(buffers);
    // A write that is cut or fails has still reached the device in any part.
    const pieces = piecesOf(bytes, position);
    this.unflushed.push(...pieces);
    bytes.copy(this.seen, position);
    this.writes.push({ position, sizeBytes: bytes.length });
    await turn();
    this.finish(fault);
  }

  override async flush(): Promise<void> {
    const covered = this.unflushed.length;
    const fault = this.begin('flush');
    await turn();
    this.finish(fault);
    for (const piece of this.unflushed.splice(0, covered)) piece.bytes.copy(this.image, piece.position);
    this.flushes += 1;
  }

  override async reserve(): Promise<void> {
    await turn();
  }

  override async close(): Promise<void> {
    await turn();
  }

  /** What could be on the device after the power came back: the pieces for which `keep` says how many bytes arrived. */
  imageAfterCut(keep: (piece: number, sizeBytes: number) => number): Buffer {
    const image = Buffer.from(this.image);
    this.unflushed.forEach(({ position, bytes }, index) => {
      bytes.copy(image, position, 0, keep(index, bytes.length));
    });
    return image;
  }

  private begin(kind: 'write' | 'flush'): ReturnType<FaultPlan> {
    if (this.cut) throw new Error('power is cut');
    this.calls += 1;
    return this.fault(this.calls, kind);
  }

  private finish(fault: ReturnType<FaultPlan>): void {
    if (fault === 'cut') this.cut = true;
    if (this.cut) throw new Error('power is cut');
    if (fault !== undefined) throw Object.assign(new Error(`${fault}: simulated`), { code: fault });
  }
}

function piecesOf(bytes: Buffer, position: number): Piece[] {
  const pieces: Piece[] = [];
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    pieces.push({ position: position + from, bytes: bytes.subarray(from, from + BLOCK_BYTES) });
  }
  return pieces;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Hands out one simulated device, whatever the path; claims are not contended. */
export class SimulatedDevicePort extends DevicePort {
  constructor(readonly device: SimulatedDevice) {
    super();
  }
  override async open(): Promise<DeviceFile> {
    return this.device;
  }
  override async create(): Promise<DeviceFile> {
    return this.device;
  }
  override async claim(): Promise<() => Promise<void>> {
    return async () => undefined;
  }
}
