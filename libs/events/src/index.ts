export type { IntentRunnerSettings } from './intent-runner.js';
export { KafkaIntentBus } from './kafka/kafka-intent-bus.js';
export { KafkaIntentConsumer, type KafkaConsumerSettings } from './kafka/kafka-intent-consumer.js';
export type { KafkaIntentSettings } from './kafka/kafka-settings.js';
export { LocalIntentBus } from './local-intent-bus.js';
