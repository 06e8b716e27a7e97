import type { IntentHandler } from '@holdfast/contracts';
import type { Consumer, EachMessagePayload } from 'kafkajs';
import { IntentRunner, type IntentRunnerSettings } from '../intent-runner.js';
import { decodeIntent } from './intent-record.codec.js';
import {
  ensureTopic,
  kafkaClient,
  resolveSettings,
  type KafkaIntentSettings,
  type ResolvedKafkaSettings,
} from './kafka-settings.js';

export interface KafkaConsumerSettings extends KafkaIntentSettings {
  /** Consumers of one group share the partitions. */
  readonly groupId?: string;
  readonly runner?: Partial<IntentRunnerSettings>;
}

const DEFAULT_GROUP = 'holdfast.intents';
const RETRY_PAUSE_MS = 1_000;
const HEARTBEAT_PAUSE_MS = 1_000;
const STOP_TIMEOUT_MS = 5_000;

/**
 * Takes intents from Kafka and runs them. A record is left behind as soon as it was taken into the runner: a failed or lost
 * attempt comes again from the outbox, never by holding up a partition. Records that do not decode are reported and skipped.
 */
export class KafkaIntentConsumer {
  private readonly settings: ResolvedKafkaSettings;
  private readonly groupId: string;
  private readonly runner: IntentRunner;
  private consumer: Consumer | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private stopped = true;
  private ready = false;

  constructor(handler: IntentHandler, settings: KafkaConsumerSettings) {
    const { groupId, runner, ...kafka } = settings;
    this.settings = resolveSettings(kafka);
    this.groupId = groupId ?? DEFAULT_GROUP;
    this.runner = new IntentRunner(handler, {
      onFailure: (_intent, error) => this.settings.onError(error),
      ...runner,
    });
  }

  /** Does not wait for Kafka: connecting is repeated until it works. */
  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    void this.connect();
  }

  /** True while the consumer has joined its group. */
  get joined(): boolean {
    return this.ready;
  }

  private async connect(): Promise<void> {
    const kafka = kafkaClient(this.settings);
    const consumer = kafka.consumer({
      groupId: this.groupId,
      sessionTimeout: 6_000,
      heartbeatInterval: 1_000,
      // A stop waits for the fetch under way.
      maxWaitTimeInMs: 1_000,
      rebalanceTimeout: 6_000,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, retries: 5, maxRetryTime: 2_000, restartOnFailure: async () => false },
    });
    this.consumer = consumer;
    consumer.on(consumer.events.GROUP_JOIN, () => {
      this.ready = this.consumer === consumer;
    });
    // kafkajs restarts itself from some failures only: after a crash everything is made anew.
    consumer.on(consumer.events.CRASH, ({ payload }) => this.retry(consumer, payload.error));
    try {
      await ensureTopic(kafka, this.settings);
      await consumer.connect();
      await consumer.subscribe({ topic: this.settings.topic, fromBeginning: true });
      if (this.stopped || this.consumer !== consumer) {
        await consumer.disconnect();
        return;
      }
      await consumer.run({
        partitionsConsumedConcurrently: 3,
        eachMessage: (payload) => this.take(payload),
      });
    } catch (error) {
      this.retry(consumer, error);
    }
  }

  private retry(consumer: Consumer, error: unknown): void {
    // Also one that was stopped while it connected: its connections would stay.
    void consumer.disconnect().catch(() => undefined);
    if (this.consumer !== consumer) return;
    this.consumer = undefined;
    this.ready = false;
    if (this.stopped) return;
    this.settings.onError(error);
    this.retryTimer = setTimeout(() => void this.connect(), RETRY_PAUSE_MS);
  }

  private async take({ message, heartbeat, partition }: EachMessagePayload): Promise<void> {
    let intent;
    try {
      intent = decodeIntent(message.value);
    } catch (cause) {
      const place = `partition ${partition}, offset ${message.offset}`;
      this.settings.onError(
        new Error(`A record of ${this.settings.topic} is not an intent (${place}): skipped.`, { cause }),
      );
      return;
    }
    // Waiting for a place must not look like a dead consumer.
    const beat = setInterval(() => void heartbeat().catch(() => undefined), HEARTBEAT_PAUSE_MS);
    try {
      await this.runner.room();
    } finally {
      clearInterval(beat);
    }
    try {
      this.runner.accept([intent]);
    } catch (error) {
      this.settings.onError(error);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.ready = false;
    clearTimeout(this.retryTimer);
    this.runner.stop();
    const { consumer } = this;
    this.consumer = undefined;
    if (consumer === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const givenUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_TIMEOUT_MS);
    });
    await Promise.race([consumer.disconnect().catch(() => undefined), givenUp]);
    clearTimeout(timer);
  }
}
