/** What the specs of catalogues and of the order of commits share. */
import type { BlockKind } from '../device/device.port.js';
import type { CallKind, DeviceEvent } from '../device/simulated-device.js';
import type { Catalogue } from '../engine/catalogue.js';

export const text = (value: string): Buffer => Buffer.from(value, 'latin1');

export async function content(catalogue: Catalogue): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, value } of catalogue.scan()) found[key.toString('latin1')] = value.toString('latin1');
  return found;
}

/** Keys all over the tree, 20 in a transaction. */
export async function fill(catalogue: Catalogue, count: number, valueBytes = 100, sign = 'v'): Promise<void> {
  for (let from = 0; from < count; from += 20) {
    const changes = Array.from({ length: Math.min(20, count - from) }, (_, index) => ({
      key: text(`key ${(from + index) * 7919}`),
      value: Buffer.alloc(valueBytes, sign),
    }));
    await catalogue.change(changes);
  }
}

/** Lets writes and flushes wait while it is shut: all of them, or writes of one kind of block. */
export function gate(only?: BlockKind) {
  let isShut = false;
  let held: (() => void)[] = [];
  let writing: BlockKind | undefined;
  return {
    record: (event: DeviceEvent): void => {
      if (event.type === 'write') writing = event.kind;
    },
    turn: (kind: CallKind | 'read'): Promise<void> => {
      const isMeant = only === undefined ? kind !== 'read' : kind === 'write' && writing === only;
      return isShut && isMeant ? new Promise((resolve) => held.push(resolve)) : Promise.resolve();
    },
    shut: (): void => {
      isShut = true;
    },
    open: (): void => {
      isShut = false;
      for (const letGo of held) letGo();
      held = [];
    },
  };
}

/** Lets everything go on that waits for nothing but turns. */
export async function turns(count = 400): Promise<void> {
  for (let step = 0; step < count; step += 1) await Promise.resolve();
}

export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  await turns();
  return settled;
}
