/** Evidence by trials on simulated devices. Each says what it tried and what failed; a seed gives the same trials again. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SimulatedDevice } from '../device/simulated-device.js';
import { crashStates, type EnumerationOptions } from './crash-states.js';
import { Ledger, WORKLOADS, Work, openImages, record, type Recording, type WorkloadName } from './crash-workloads.js';
import { seededRandom } from './seeded-random.js';
import { formattedImage, openImage, put } from './store-fixture.js';

export interface TrialOptions {
  readonly seed: number;
  /** Ends when so many trials were made. */
  readonly trials: number;
  /** Ends when so many failed. */
  readonly failuresMax?: number;
  readonly signal?: AbortSignal;
}

export interface TrialReport {
  readonly trials: number;
  readonly failures: number;
  /** The first few, each with what tells its state again. */
  readonly problems: readonly string[];
}

const PROBLEMS_SHOWN = 10;
const TRIALS_PER_TURN = 20;
const ROUNDS: Record<WorkloadName, number> = { units: 8, catalogues: 60, 'full-log': 8 };

export class Tally {
  trials = 0;
  failures = 0;
  readonly problems: string[] = [];

  constructor(private readonly options: TrialOptions) {}

  get isDone(): boolean {
    const { trials, failuresMax = PROBLEMS_SHOWN, signal } = this.options;
    return this.trials >= trials || this.failures >= failuresMax || signal?.aborted === true;
  }

  async attempt(name: string, work: () => Promise<void>): Promise<void> {
    this.trials += 1;
    // Simulated devices need no timer: without this no signal would ever be seen.
    if (this.trials % TRIALS_PER_TURN === 0) await nextTurn();
    try {
      await work();
    } catch (error) {
      this.failures += 1;
      if (this.problems.length < PROBLEMS_SHOWN) this.problems.push(`${name}: ${messageOf(error)}`);
    }
  }

  report(): TrialReport {
    return { trials: this.trials, failures: this.failures, problems: this.problems };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A run that breaks by itself is a failure of its own: a planted bug may show there. */
async function recorded(tally: Tally, name: string, make: () => Promise<Recording>): Promise<Recording | undefined> {
  try {
    return await make();
  } catch (error) {
    await tally.attempt(name, () => Promise.reject(error));
    return undefined;
  }
}

/** Runs of all workloads, in one file and in a pair, one after the other until there were enough trials. */
async function* recordings(
  tally: Tally,
  seed: number,
): AsyncGenerator<{ name: string; recording: Recording; layout: string }> {
  for (let round = 0; !tally.isDone; round += 1) {
    for (const workload of WORKLOADS) {
      for (const layout of ['file', 'pair'] as const) {
        const name = `${workload} in a ${layout}, seed ${seed}, round ${round}`;
        const random = seededRandom(seed * 1000 + round);
        const recording = await recorded(tally, name, () => record(workload, ROUNDS[workload], random, layout));
        if (recording !== undefined) yield { name, recording, layout };
        if (tally.isDone) return;
      }
    }
  }
}

/** Every state that a cut can leave, recovered and held against what the client was told. */
export async function crashStateTrials(options: TrialOptions): Promise<TrialReport & { readonly runs: number }> {
  const tally = new Tally(options);
  const seen = { file: new Set<string>(), pair: new Set<string>() };
  const share = Math.ceil(options.trials / (WORKLOADS.length * 2));
  let runs = 0;
  for await (const { name, recording, layout } of recordings(tally, options.seed)) {
    runs += 1;
    const enumeration: EnumerationOptions = {
      random: seededRandom(options.seed + runs),
      exhaustiveMax: 8,
      mixed: 16,
      // A short run takes a few states of every moment instead of all of the first ones.
      share: options.trials < 20_000 ? 0.04 : 1,
      seen: layout === 'file' ? seen.file : seen.pair,
    };
    const start = tally.trials;
    for (const state of crashStates(recording.base, recording.timeline, new Ledger(), enumeration)) {
      await tally.attempt(`${name}, state ${state.name}`, async () => {
        const store = await openImages(state.images);
        await state.ledger.check(store);
        const { problems } = await store.check();
        if (problems.length > 0) throw new Error(problems[0]);
        if (tally.trials % 50 === 0) await goesOn(store, state.ledger);
      });
      if (tally.isDone || tally.trials - start >= share) break;
    }
  }
  return { ...tally.report(), runs };
}

async function goesOn(store: Awaited<ReturnType<typeof openImages>>, ledger: Ledger): Promise<void> {
  ledger.uncertain.set(90_000, 5000);
  await put(store, 90_000, 5000);
  await ledger.check(store);
  await store.close();
}

/** Cuts within the writes of a recovery: the state after them is as good as the one before. */
export async function nestedCrashTrials(options: TrialOptions): Promise<TrialReport & { readonly recoveries: number }> {
  const tally = new Tally(options);
  let recoveries = 0;
  for await (const { name, recording } of recordings(tally, options.seed)) {
    const outer = {
      random: seededRandom(options.seed + recoveries),
      exhaustiveMax: 3,
      mixed: 1,
      seen: new Set<string>(),
    };
    let at = 0;
    for (const state of crashStates(recording.base, recording.timeline, new Ledger(), outer)) {
      at += 1;
      // Of the few states in which only some copies of the superblock are new, more are taken.
      if (at % (state.kinds.has('superblock') ? 3 : 23) !== 0) continue;
      recoveries += 1;
      const timeline: Recording['timeline'][number][] = [];
      const { ledger } = state;
      ledger.uncertain.set(90_000, 5000);
      await tally.attempt(`${name}, recovery of ${state.name}`, async () => {
        const store = await openImages(state.images, { record: (event) => void timeline.push({ event }) });
        await put(store, 90_000, 5000);
      });
      const inner = { random: seededRandom(at), exhaustiveMax: 6, mixed: 6, seen: new Set<string>() };
      for (const cut of crashStates(state.images, timeline, ledger, inner)) {
        await tally.attempt(`${name}, recovery of ${state.name}, state ${cut.name}`, async () => {
          await ledger.check(await openImages(cut.images));
        });
        if (tally.isDone) return { ...tally.report(), recoveries };
      }
    }
  }
  return { ...tally.report(), recoveries };
}

/**
 * Every write and flush call of a run fails once. The device is dead from then on and nothing is tried again; what was
 * answered before is there when it is opened anew.
 */
export async function failedCallTrials(options: TrialOptions & { readonly rounds: number }): Promise<TrialReport> {
  const tally = new Tally(options);
  for (const workload of WORKLOADS) {
    for (const kind of ['EIO', 'ENOSPC'] as const) {
      for (let failing = 1, isOver = false; !isOver && !tally.isDone; failing += 1) {
        await tally.attempt(`${workload}, seed ${options.seed}: ${kind} at call ${failing}`, async () => {
          isOver = await failOnce(workload, options, failing, kind);
        });
      }
    }
  }
  return tally.report();
}

/** @returns whether the run was over before the call was made */
async function failOnce(
  workload: WorkloadName,
  options: TrialOptions & { readonly rounds: number },
  failing: number,
  kind: 'EIO' | 'ENOSPC',
): Promise<boolean> {
  const ledger = new Ledger();
  const fault = (call: number): 'EIO' | 'ENOSPC' | undefined => (call === failing ? kind : undefined);
  const { device, store } = await openImage(await formattedImage(), { fault });
  const work = new Work(store, (mark) => mark(ledger), seededRandom(options.seed));
  const outcome = await work.run(workload, options.rounds).then(
    () => undefined,
    (error: { code?: string }) => error.code ?? String(error),
  );
  if (device.calls < failing) return true;
  // Without room in the file system below for blocks or pages nothing is lost, and the run may go on.
  const mayPass = kind === 'ENOSPC' && wasBlockOrPage(device, failing);
  // Others of the run may still be under way when the first has failed.
  if (mayPass) await store.close();
  else await checkDead(device, store, failing, outcome);
  const { store: again } = await openImage(device.image);
  await ledger.check(again);
  return false;
}

function wasBlockOrPage({ events }: SimulatedDevice, call: number): boolean {
  const kinds = ['data', 'page'];
  return events.some((event) => event.type === 'write' && event.call === call && kinds.includes(event.kind));
}

async function checkDead(
  device: SimulatedDevice,
  store: Awaited<ReturnType<typeof openImage>>['store'],
  failing: number,
  outcome: string | undefined,
): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
  if (store.status().state !== 'dead')
    throw new Error(`the device is ${store.status().state} after ${outcome ?? 'the run'}`);
  const { calls } = device;
  const refused = await put(store, 80_000, 100).then(
    () => 'written',
    (error: { code?: string }) => error.code,
  );
  if (refused !== 'DeviceDead') throw new Error(`a write after the failure is ${refused}`);
  await store.close();
  if (device.calls !== calls) throw new Error(`${device.calls - calls} calls after the device died at call ${failing}`);
}
