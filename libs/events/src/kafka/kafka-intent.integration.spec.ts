import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backgroundCall, IntentHandler, newId, type CallContext, type Intent } from '@holdfast/contracts';
import { findFreePort, startKafka, type LocalKafka } from '@holdfast/local-services';
import { Kafka, logLevel } from 'kafkajs';
import { KafkaIntentBus } from './kafka-intent-bus.js';
import { KafkaIntentConsumer, type KafkaConsumerSettings } from './kafka-intent-consumer.js';
import { INTENT_TOPIC } from './kafka-settings.js';

const TEST_TIMEOUT_MS = 180_000;

const replicate = (id: number): Intent => ({
  kind: 'replicate',
  intentId: BigInt(id),
  bucketId: 7n,
  writeId: newId(),
  requestId: '0123456789ABCDEF',
});
const free = (id: number): Intent => ({
  kind: 'free',
  intentId: BigInt(id),
  bucketId: 7n,
  writeId: newId(),
  chunks: Buffer.from([1, 2, 255]),
});

class RecordingHandler extends IntentHandler {
  readonly handled: Intent[] = [];
  readonly failing = new Set<bigint>();
  override async handle(_call: CallContext, intent: Intent): Promise<void> {
    if (this.failing.has(intent.intentId)) throw new Error(`intent ${intent.intentId} fails`);
    this.handled.push(intent);
  }
  ids(): bigint[] {
    return this.handled.map((intent) => intent.intentId).sort((a, b) => (a < b ? -1 : 1));
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpAtMs = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > giveUpAtMs) throw new Error(`what was waited for did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('intents over Kafka', () => {
  let folder: string;
  let port: number;
  let kafka: LocalKafka | undefined;
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-events-'));
    port = await findFreePort();
  });
  afterAll(async () => {
    for (const stop of stops.splice(0)) await stop();
    await kafka?.stop();
    await rm(folder, { recursive: true, force: true });
  }, TEST_TIMEOUT_MS);

  const brokers = () => [`127.0.0.1:${port}`];
  const bus = (change = {}) => {
    const made = new KafkaIntentBus({ brokers: brokers(), partitions: 3, ...change });
    stops.push(() => made.stop());
    return made;
  };
  const consumer = (handler: IntentHandler, change: Partial<KafkaConsumerSettings> = {}) => {
    const errors: unknown[] = [];
    const onError = (error: unknown) => errors.push(error);
    const made = new KafkaIntentConsumer(handler, { brokers: brokers(), partitions: 3, onError, ...change });
    stops.push(() => made.stop());
    made.start();
    return { made, errors };
  };
  const publish = (on: KafkaIntentBus, ...intents: Intent[]) => on.publish(backgroundCall(10_000), intents);

  it(
    'seed-3.10: Kafka that was never there makes a publish fail in bounded time; both sides come up by themselves with it',
    async () => {
      const sender = bus({ publishTimeoutMs: 2_000 });
      const handler = new RecordingHandler();
      const { made, errors } = consumer(handler);
      const startedAt = performance.now();
      await expect(publish(sender, replicate(1))).rejects.toMatchObject({ code: 'ServiceUnavailable' });
      expect(performance.now() - startedAt).toBeLessThan(10_000);
      await until(() => errors.length > 0, 'the consumer notices that Kafka is away');

      kafka = await startKafka({ directory: join(folder, 'kafka'), port });
      const sent = [replicate(2), free(3)];
      for (;;) {
        const taken = await publish(sender, ...sent).then(
          () => true,
          () => false,
        );
        if (taken) break;
      }
      await until(() => handler.handled.length >= 2, 'the intents come');
      expect(made.joined).toBe(true);
      expect(handler.handled.find((intent) => intent.intentId === 2n)).toEqual(sent[0]);
      expect(handler.handled.find((intent) => intent.intentId === 3n)).toEqual(sent[1]);
      // The topic was made before use, with the partitions that were asked for.
      const admin = new Kafka({ brokers: brokers(), logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      const metadata = await admin.fetchTopicMetadata({ topics: [INTENT_TOPIC] });
      await admin.disconnect();
      expect(metadata.topics[0].partitions).toHaveLength(3);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'a poison record is reported and skipped, a failing intent holds up nobody and is run again when it comes again',
    async () => {
      const handler = new RecordingHandler();
      const { errors } = consumer(handler, { groupId: 'poison' });
      const producer = new Kafka({ brokers: brokers(), logLevel: logLevel.NOTHING }).producer();
      await producer.connect();
      const bad = ['not json', '{"kind":"replicate"}', '{"kind":"unknown"}', null];
      for (let partition = 0; partition < 3; partition++) {
        await producer.send({ topic: INTENT_TOPIC, messages: bad.map((value) => ({ value, partition })) });
      }
      await producer.disconnect();
      const sender = bus();
      handler.failing.add(11n);
      const intents = [10, 11, 12, 13].map(replicate);
      await publish(sender, ...intents);
      await until(() => [10n, 12n, 13n].every((id) => handler.ids().includes(id)), 'the others come');
      await until(() => errors.length >= 13, 'twelve bad records and one failure are reported');
      expect(handler.ids()).not.toContain(11n);
      handler.failing.delete(11n);
      await publish(sender, intents[1]);
      await until(() => handler.ids().includes(11n), 'the redelivery');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'seed-3.10: after a stop and a start of Kafka the same bus and consumer go on',
    async () => {
      const sender = bus({ publishTimeoutMs: 2_000 });
      const handler = new RecordingHandler();
      consumer(handler, { groupId: 'restart' });
      await publish(sender, replicate(20));
      await until(() => handler.ids().includes(20n), 'the first');
      await kafka?.stop();
      await expect(publish(sender, replicate(21))).rejects.toMatchObject({ code: 'ServiceUnavailable' });
      kafka = await startKafka({ directory: join(folder, 'kafka'), port });
      const again = replicate(22);
      for (;;) {
        const taken = await publish(sender, again).then(
          () => true,
          () => false,
        );
        if (taken) break;
      }
      await until(() => handler.ids().includes(22n), 'the one after the restart');
    },
    TEST_TIMEOUT_MS,
  );
});
