import { IntentBus, type CallContext, type Intent, type IntentHandler } from '@holdfast/contracts';
import { IntentRunner, type IntentRunnerSettings } from './intent-runner.js';

/** Hands intents to the handler in this process. Publishing never waits for the work; a full queue refuses (SlowDown). */
export class LocalIntentBus extends IntentBus {
  private readonly runner: IntentRunner;

  constructor(handler: IntentHandler, settings: Partial<IntentRunnerSettings> = {}) {
    super();
    this.runner = new IntentRunner(handler, settings);
  }

  override publish(_call: CallContext, intents: readonly Intent[]): Promise<void> {
    return new Promise((resolve) => {
      this.runner.accept(intents);
      resolve();
    });
  }

  stop(): void {
    this.runner.stop();
  }
}
