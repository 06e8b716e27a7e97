/** The two files that Kafka reads. Paths in them are relative to the service's folder, in which it runs. */

export interface KafkaPorts {
  readonly brokerPort: number;
  readonly controllerPort: number;
}

export const DATA_FOLDER = 'data';
export const NEW_DATA_FOLDER = 'data.new';

/** server.properties of one process that is broker and controller, reachable on the loopback address alone. */
export function serverProperties({ brokerPort, controllerPort }: KafkaPorts, dataFolder: string): string {
  const settings: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${brokerPort},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${brokerPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': dataFolder,
    // Topics are made by who owns them, with the partitions they mean.
    'auto.create.topics.enable': false,
    'num.partitions': 1,
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // With the defaults a broker that was killed takes 11 s to be let in again.
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    // A developer's disk: small segments, so that retention (three days, 256 MiB a partition) has something to drop.
    'log.segment.bytes': 16 * 1024 * 1024,
    'log.retention.hours': 72,
    'log.retention.bytes': 256 * 1024 * 1024,
    'log.index.size.max.bytes': 1024 * 1024,
    // The default takes half of a 256 MiB heap.
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    'num.network.threads': 2,
    'num.io.threads': 4,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return `# Written at every start.\n${lines.join('\n')}\n`;
}

/** Everything worth a look goes to standard output; the start-up dump of every setting is not. */
export const LOG_PROPERTIES = `# Written at every start.
status=warn
shutdownHook=disable
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c{1})%n%ex{5}
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
`;

export const JAVA_OPTIONS = [
  '-Xms64m',
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:+ExitOnOutOfMemoryError',
  '-XX:-UsePerfData',
  '-Djava.awt.headless=true',
  '-Dlog4j2.configurationFile=log4j2.properties',
];
