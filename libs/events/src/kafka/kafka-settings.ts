import { Kafka, logLevel } from 'kafkajs';
import { quietRequestQueues } from './quiet-request-queue.js';

quietRequestQueues();

export interface KafkaIntentSettings {
  /** host:port of each broker. */
  readonly brokers: readonly string[];
  readonly clientId?: string;
  readonly topic?: string;
  /** Of the topic, when it is made here. */
  readonly partitions?: number;
  /** Of the topic, when it is made here; -1 takes the broker's default. */
  readonly replicationFactor?: number;
  /** A publish that is not acknowledged by then has failed. */
  readonly publishTimeoutMs?: number;
  readonly onError?: (error: unknown) => void;
}

export const INTENT_TOPIC = 'holdfast.intents';

export type ResolvedKafkaSettings = Required<KafkaIntentSettings>;

export function resolveSettings(settings: KafkaIntentSettings): ResolvedKafkaSettings {
  return {
    clientId: 'holdfast',
    topic: INTENT_TOPIC,
    partitions: 12,
    replicationFactor: -1,
    publishTimeoutMs: 5_000,
    onError: () => undefined,
    ...settings,
  };
}

/** The retries of one call are few: whoever calls repeats at its own pace, with a fresh connection. */
export function kafkaClient(settings: ResolvedKafkaSettings): Kafka {
  return new Kafka({
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    retry: { initialRetryTime: 100, retries: 3, maxRetryTime: 1_000 },
    // What goes wrong is told to `onError` by the caller that notices it.
    logLevel: logLevel.NOTHING,
  });
}

/** Makes the topic unless it is there. Errors: those of kafkajs. */
export async function ensureTopic(kafka: Kafka, settings: ResolvedKafkaSettings): Promise<void> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { topic, partitions: numPartitions, replicationFactor } = settings;
    await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor }], waitForLeaders: true });
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
