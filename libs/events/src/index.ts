export { IntentRunner, RUNNER_DEFAULTS, type IntentRunnerSettings } from './intent-runner.js';
export { KafkaIntentBus } from './kafka/kafka-intent-bus.js';
export { KafkaIntentConsumer, type KafkaConsumerSettings } from './kafka/kafka-intent-consumer.js';
export { INTENT_TOPIC, type KafkaIntentSettings } from './kafka/kafka-settings.js';
export { LocalIntentBus } from './local-intent-bus.js';
