import { HoldfastError, IntentBus, type CallContext, type Intent } from '@holdfast/contracts';
import type { Producer } from 'kafkajs';
import { encodeIntent, intentKey } from './intent-record.codec.js';
import {
  ensureTopic,
  kafkaClient,
  resolveSettings,
  type KafkaIntentSettings,
  type ResolvedKafkaSettings,
} from './kafka-settings.js';

/**
 * Publishes intents to Kafka, acknowledged by all replicas in sync. The producer is made at the first publish and thrown away
 * after a failure (an idempotent producer that lost its place does not find it again), so that the bus comes back by itself
 * when Kafka does, also when Kafka was never there before.
 */
export class KafkaIntentBus extends IntentBus {
  private readonly settings: ResolvedKafkaSettings;
  private producer: Promise<Producer> | undefined;
  private stopped = false;

  constructor(settings: KafkaIntentSettings) {
    super();
    this.settings = resolveSettings(settings);
  }

  /** Errors: ServiceUnavailable within `publishTimeoutMs` when the brokers do not acknowledge. */
  override async publish(_call: CallContext, intents: readonly Intent[]): Promise<void> {
    if (intents.length === 0) return;
    if (this.stopped) throw new HoldfastError('ServiceUnavailable', 'The bus is stopping.');
    const producer = (this.producer ??= this.openProducer());
    const messages = intents.map((intent) => ({ key: intentKey(intent), value: encodeIntent(intent) }));
    try {
      await this.inTime(
        producer.then((open) =>
          open.send({ topic: this.settings.topic, acks: -1, timeout: this.settings.publishTimeoutMs, messages }),
        ),
      );
    } catch (cause) {
      this.drop(producer);
      throw new HoldfastError('ServiceUnavailable', 'Kafka does not take the intents.', {}, { cause });
    }
  }

  private async openProducer(): Promise<Producer> {
    const kafka = kafkaClient(this.settings);
    await ensureTopic(kafka, this.settings);
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false });
    await producer.connect();
    return producer;
  }

  private drop(producer: Promise<Producer>): void {
    if (this.producer === producer) this.producer = undefined;
    producer.then((open) => open.disconnect()).catch(() => undefined);
  }

  private async inTime<T>(work: Promise<T>): Promise<T> {
    const { publishTimeoutMs } = this.settings;
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`No acknowledgement within ${publishTimeoutMs} ms.`)),
        publishTimeoutMs,
      );
    });
    try {
      return await Promise.race([work, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const { producer } = this;
    this.producer = undefined;
    if (producer !== undefined) await this.inTime(producer.then((open) => open.disconnect())).catch(() => undefined);
  }
}
