/**
 * Every state that a power cut can leave: a run is recorded as one timeline of writes, of what became durable, and of what its
 * client was told; then the timeline is walked, and before each event the power is cut. What was not durable by then may be
 * kept, lost or torn, in any combination: all of them while they are few, else a systematic part and a random one.
 */
import { hash } from 'node:crypto';
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { BlockKind } from '../device/device.port.js';
import type { DeviceEvent, Piece } from '../device/simulated-device.js';

/** What the client of a run knows at a moment of it. */
export type Mark<Ledger> = (ledger: Ledger) => void;
export type TimelineEntry<Ledger> = { readonly event: DeviceEvent } | { readonly mark: Mark<Ledger> };
/** By device; one named '' where there is one file. */
export type Images = Readonly<Record<string, Buffer>>;

export interface CrashState<Ledger> {
  readonly images: Images;
  readonly ledger: Ledger;
  /** Kinds of blocks that were being written when the power was cut. */
  readonly kinds: ReadonlySet<BlockKind>;
  /** Where in the timeline and which pieces survived: tells the state again. */
  readonly name: string;
}

export interface EnumerationOptions {
  readonly random: () => number;
  /** Up to so many pieces all combinations are made. */
  readonly exhaustiveMax: number;
  /** Random combinations beyond that. */
  readonly mixed: number;
  /** Part of the states that is handed out, chosen at random; by default all. */
  readonly share?: number;
  /** Images seen already, by digest: each is handed out once. */
  readonly seen: Set<string>;
}

interface Loose extends Piece {
  readonly kind: BlockKind;
  readonly device: string;
  readonly call: number;
}

/** Bytes of a piece that arrived: from one offset to another. */
type Survival = (index: number) => readonly [number, number];
const KEPT = [0, BLOCK_BYTES] as const;
const LOST = [0, 0] as const;

export function* crashStates<Ledger>(
  base: Images,
  timeline: readonly TimelineEntry<Ledger>[],
  ledger: Ledger,
  options: EnumerationOptions,
): Generator<CrashState<Ledger>> {
  const durable = Object.fromEntries(Object.entries(base).map(([name, image]) => [name, Buffer.from(image)]));
  const digest = new ImageDigest(durable);
  let loose: Loose[] = [];
  for (const [at, entry] of timeline.entries()) {
    if ('mark' in entry) {
      entry.mark(ledger);
      continue;
    }
    const { event } = entry;
    if (event.type === 'write') {
      loose.push(
        ...event.pieces.map((piece) => ({ ...piece, device: event.device, call: event.call, kind: event.kind })),
      );
      // Its call may be cut off at any moment from here on.
      yield* statesAt(`${at}`, durable, digest, loose, ledger, options);
      continue;
    }
    yield* statesAt(`${at}`, durable, digest, loose, ledger, options);
    const isDurable = (piece: Loose): boolean => piece.device === event.device && event.calls.includes(piece.call);
    for (const piece of loose.filter(isDurable)) {
      digest.replace(piece.device, piece.position, piece.bytes);
      piece.bytes.copy(durable[piece.device], piece.position);
    }
    loose = loose.filter((piece) => !isDurable(piece));
    yield* statesAt(`${at}+`, durable, digest, loose, ledger, options);
  }
}

function* statesAt<Ledger>(
  at: string,
  durable: Images,
  digest: ImageDigest,
  loose: readonly Loose[],
  ledger: Ledger,
  options: EnumerationOptions,
): Generator<CrashState<Ledger>> {
  for (const [what, survival] of survivals(loose.length, options)) {
    if (options.random() >= (options.share ?? 1)) continue;
    const changes = changesOf(durable, loose, survival);
    const name = digest.with(changes);
    if (options.seen.has(name)) continue;
    options.seen.add(name);
    const images = Object.fromEntries(Object.entries(durable).map(([device, image]) => [device, Buffer.from(image)]));
    for (const { device, position, bytes } of changes) bytes.copy(images[device], position);
    yield { images, ledger, kinds: new Set(loose.map(({ kind }) => kind)), name: `${at}:${what}` };
  }
}

function* survivals(
  count: number,
  { random, exhaustiveMax, mixed }: EnumerationOptions,
): Generator<[string, Survival]> {
  yield ['none', () => LOST];
  if (count === 0) return;
  yield ['all', () => KEPT];
  if (count <= exhaustiveMax) {
    for (let mask = 1; mask < 2 ** count - 1; mask += 1)
      yield [`mask ${mask}`, (index) => ((mask >> index) & 1 ? KEPT : LOST)];
  } else {
    for (let kept = 1; kept < count; kept += 1) yield [`first ${kept}`, (index) => (index < kept ? KEPT : LOST)];
    for (let lost = 0; lost < count; lost += 1) yield [`without ${lost}`, (index) => (index === lost ? LOST : KEPT)];
  }
  const everyCut = 512 * (1 + Math.floor(random() * 7));
  yield [`every head ${everyCut}`, () => [0, everyCut]];
  yield [`every tail ${everyCut}`, () => [everyCut, BLOCK_BYTES]];
  for (let torn = 0; torn < count; torn += 1) {
    const cut = 512 * (1 + Math.floor(random() * 7));
    yield [`head ${torn} ${cut}`, (index) => (index === torn ? [0, cut] : KEPT)];
    yield [`tail ${torn} ${cut}`, (index) => (index === torn ? [cut, BLOCK_BYTES] : KEPT)];
    yield [`only head ${torn} ${cut}`, (index) => (index === torn ? [0, cut] : index < torn ? KEPT : LOST)];
  }
  for (let number = 0; number < mixed; number += 1) {
    const chosen = Array.from({ length: count }, () => mixedSurvival(random));
    yield [`mixed ${number}`, (index) => chosen[index]];
  }
}

function mixedSurvival(random: () => number): readonly [number, number] {
  const kind = random();
  if (kind < 0.45) return KEPT;
  if (kind < 0.85) return LOST;
  const cut = 512 * (1 + Math.floor(random() * 7));
  return kind < 0.93 ? [0, cut] : [cut, BLOCK_BYTES];
}

/** Whole blocks as they would stand; of two pieces in one place the later one counts. */
function changesOf(durable: Images, loose: readonly Loose[], survival: Survival): Loose[] {
  const blocks = new Map<string, Loose>();
  loose.forEach((piece, index) => {
    const [from, to] = survival(index);
    if (from === to) return;
    const name = `${piece.device}/${piece.position}`;
    const before =
      blocks.get(name)?.bytes ?? durable[piece.device].subarray(piece.position, piece.position + BLOCK_BYTES);
    const isWhole = from === 0 && to >= piece.bytes.length;
    const bytes = isWhole ? piece.bytes : Buffer.from(before);
    if (!isWhole) piece.bytes.copy(bytes, from, from, Math.min(to, piece.bytes.length));
    blocks.set(name, { ...piece, bytes });
  });
  return [...blocks.values()];
}

/** A digest of all images that follows single blocks: the exclusive or of the digests of all. */
class ImageDigest {
  private high = 0;
  private low = 0;

  constructor(private readonly images: Images) {}

  replace(device: string, position: number, bytes: Buffer): void {
    const changed = this.changed(device, position, bytes);
    this.high ^= changed[0];
    this.low ^= changed[1];
  }

  with(changes: readonly Loose[]): string {
    let { high, low } = this;
    for (const { device, position, bytes } of changes) {
      const changed = this.changed(device, position, bytes);
      high ^= changed[0];
      low ^= changed[1];
    }
    return `${high >>> 0}/${low >>> 0}`;
  }

  private changed(device: string, position: number, bytes: Buffer): readonly [number, number] {
    const before = this.of(device, position, this.images[device].subarray(position, position + BLOCK_BYTES));
    const after = this.of(device, position, bytes);
    return [before[0] ^ after[0], before[1] ^ after[1]];
  }

  private of(device: string, position: number, bytes: Buffer): readonly [number, number] {
    const digest = hash('sha1', Buffer.concat([Buffer.from(`${device}/${position}/`), bytes]), 'buffer');
    return [digest.readInt32LE(0), digest.readInt32LE(4)];
  }
}
