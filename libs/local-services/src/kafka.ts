import type { ServiceExit } from './child-service.js';
import { LocalServiceError } from './local-service-error.js';

export interface StartKafkaOptions {
  /** Folder for the configuration, the logs of the topics and the remembered ports. Made when missing. */
  readonly directory: string;
  /** Port of the broker on 127.0.0.1. 0 or undefined: the one of the last start when it is free, else any free one. */
  readonly port?: number;
  /** One broker, which is its own controller. */
  readonly brokers?: 1;
  /** Every line that Kafka writes. */
  readonly onLog?: (line: string) => void;
  /** A sentence when something takes long (the download of the first start). */
  readonly onProgress?: (message: string) => void;
}

export interface LocalKafka {
  /** host:port of each broker, as kafkajs takes them. */
  readonly brokers: string[];
  readonly pid: number;
  /** Bounded; may be called twice. */
  stop(): Promise<void>;
  /** Resolves (never rejects) when Kafka is gone. */
  readonly exited: Promise<ServiceExit>;
}

export interface ResolveKafkaOptions extends StartKafkaOptions {
  /** KAFKA_BROKERS: host:port, comma separated. When given (not empty), nothing is started. */
  readonly kafkaBrokers?: string;
}

export interface ResolvedKafka {
  readonly external: boolean;
  readonly brokers: string[];
  /** Does nothing for an external one. */
  stop(): Promise<void>;
  /** Never resolves for an external one. */
  readonly exited: Promise<ServiceExit>;
}

/** Starts an Apache Kafka of our own in `directory`. @throws LocalServiceError */
export async function startKafka(options: StartKafkaOptions): Promise<LocalKafka> {
  throw new LocalServiceError('StartFailed', `Kafka cannot be started in ${options.directory} yet.`);
}

/** The Kafka to use: the external one of `kafkaBrokers`, else our own. @throws LocalServiceError */
export async function resolveKafka(options: ResolveKafkaOptions): Promise<ResolvedKafka> {
  return { external: false, ...(await startKafka(options)) };
}
