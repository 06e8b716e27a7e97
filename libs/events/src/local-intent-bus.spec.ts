import { afterEach, describe, expect, it } from '@jest/globals';
import { backgroundCall, IntentHandler, type CallContext, type Intent } from '@holdfast/contracts';
import type { IntentRunnerSettings } from './intent-runner.js';
import { LocalIntentBus } from './local-intent-bus.js';

const intent = (id: number): Intent => ({
  kind: 'replicate',
  intentId: BigInt(id),
  bucketId: 1n,
  writeId: id.toString(16).padStart(32, '0'),
  requestId: 'R',
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Holds every intent until the test lets it go. */
class HeldHandler extends IntentHandler {
  readonly begun: bigint[] = [];
  runningMax = 0;
  private running = 0;
  private readonly gates = new Map<bigint, (error?: Error) => void>();

  override async handle(_call: CallContext, given: Intent): Promise<void> {
    this.begun.push(given.intentId);
    this.runningMax = Math.max(this.runningMax, ++this.running);
    const failure = await new Promise<Error | undefined>((resolve) => this.gates.set(given.intentId, resolve));
    this.running -= 1;
    if (failure !== undefined) throw failure;
  }
  letGo(id: number, error?: Error): void {
    this.gates.get(BigInt(id))?.(error);
  }
}

describe('the bus inside a process', () => {
  const buses: LocalIntentBus[] = [];
  const start = (settings: Partial<IntentRunnerSettings> = {}) => {
    const handler = new HeldHandler();
    const bus = new LocalIntentBus(handler, { concurrencyMax: 2, ...settings });
    buses.push(bus);
    return { handler, publish: (...ids: number[]) => bus.publish(backgroundCall(1_000), ids.map(intent)), bus };
  };
  afterEach(() => {
    for (const bus of buses.splice(0)) bus.stop();
  });

  it('publishing does not wait for the work, which runs in order and never more than so many at once', async () => {
    const { handler, publish } = start();
    await publish(1, 2, 3, 4);
    await turn();
    expect(handler.begun).toEqual([1n, 2n]);
    handler.letGo(2);
    await turn();
    expect(handler.begun).toEqual([1n, 2n, 3n]);
    handler.letGo(1);
    handler.letGo(3);
    await turn();
    expect(handler.begun).toEqual([1n, 2n, 3n, 4n]);
    expect(handler.runningMax).toBe(2);
  });

  it('an intent that is delivered again while it waits or runs is not run twice; afterwards it is', async () => {
    const { handler, publish } = start();
    await publish(1, 1);
    await publish(1);
    await turn();
    expect(handler.begun).toEqual([1n]);
    handler.letGo(1);
    await turn();
    await publish(1);
    await turn();
    expect(handler.begun).toEqual([1n, 1n]);
  });

  it('refuses what does not fit, whole, and takes it later', async () => {
    const { handler, publish } = start({ queueMax: 3 });
    await publish(1, 2);
    await publish(3, 4, 5);
    await expect(publish(6)).rejects.toMatchObject({ code: 'SlowDown' });
    handler.letGo(1);
    await turn();
    await publish(6);
    for (const id of [2, 3, 4, 5]) {
      handler.letGo(id);
      await turn();
    }
    expect(handler.begun).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
  });

  it('a failing or hanging attempt is reported and gives its place to the next', async () => {
    const failures: string[] = [];
    const { handler, publish } = start({
      concurrencyMax: 1,
      handleTimeoutMs: 30,
      onFailure: (failed, error) => failures.push(`${failed.intentId}: ${(error as Error).message}`),
    });
    await publish(1, 2, 3);
    await turn();
    handler.letGo(1, new Error('no'));
    while (handler.begun.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(failures).toEqual(['1: no', '2: An intent took too long.']);
  });

  it('takes nothing after it was stopped', async () => {
    const { handler, publish, bus } = start();
    bus.stop();
    await expect(publish(1)).rejects.toMatchObject({ code: 'SlowDown' });
    expect(handler.begun).toEqual([]);
  });
});
