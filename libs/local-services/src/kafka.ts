/**
 * An Apache Kafka of our own on 127.0.0.1: one process that is broker and controller (KRaft), in one folder:
 *   data/                    the logs of the topics (data.new while it is being formatted: a rename is the commit)
 *   server.properties, log4j2.properties   written at every start
 *   port, controller-port    kept for the next start; broker.json and owner.json while it runs
 * Kafka acknowledges before it flushes: a power cut may take its tail, so what must not be lost rests in Postgres.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChildService, runToEnd, type ServiceExit } from './child-service.js';
import { errorReason } from './error-facts.js';
import { findFreePort, isPortFree } from './free-port.js';
import { findJava, prepareKafkaJars, readJarSources, type JarSources } from './kafka-jars.js';
import { probeKafka } from './kafka-probe.js';
import {
  DATA_FOLDER,
  JAVA_OPTIONS,
  LOG_PROPERTIES,
  NEW_DATA_FOLDER,
  serverProperties,
  type KafkaPorts,
} from './kafka-settings.js';
import { LocalServiceError } from './local-service-error.js';
import { identify, isSameProcessRunning, readIdentity, stopForeignProcess, type StopStep } from './process-table.js';
import {
  choosePort,
  claimFolder,
  folderError,
  makeFolder,
  portTakenError,
  syncFolder,
  writeDurably,
} from './service-folder.js';

const READY_TIMEOUT_MS = 120_000;
const READY_POLL_MS = 50;
const PROBE_TIMEOUT_MS = 3_000;
const EXTERNAL_PROBE_TIMEOUT_MS = 10_000;
const START_ATTEMPTS = 5;
const DEFAULT_PORT = 9092;
const UUID_BYTES = 16;

const STOP_LADDER: readonly StopStep[] = [
  { signal: 'SIGTERM', waitMs: 15_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];

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

/** The Kafka to use: the external one of `kafkaBrokers`, else our own. @throws LocalServiceError */
export async function resolveKafka(options: ResolveKafkaOptions): Promise<ResolvedKafka> {
  const { kafkaBrokers } = options;
  if (kafkaBrokers === undefined || kafkaBrokers.trim() === '') {
    const { brokers, exited, stop } = await startKafka(options);
    return { external: false, brokers, exited, stop };
  }
  const brokers = parseBrokers(kafkaBrokers);
  const probes = brokers.map(({ host, port }) => probeKafka(host, port, EXTERNAL_PROBE_TIMEOUT_MS));
  await Promise.any(probes).catch((error: AggregateError) => {
    const reasons = error.errors.map(
      (reason: unknown, index: number) => `${brokers[index].text}: ${errorReason(reason)}`,
    );
    throw new LocalServiceError(
      'NotReachable',
      `No broker of KAFKA_BROKERS answers (${reasons.join('; ')}). Start that Kafka, correct the list, or unset ` +
        'KAFKA_BROKERS to use a Kafka of our own.',
      { cause: error },
    );
  });
  const texts = brokers.map(({ text }) => text);
  return { external: true, brokers: texts, stop: async () => undefined, exited: new Promise(() => undefined) };
}

function parseBrokers(list: string): { host: string; port: number; text: string }[] {
  const items = list.split(',').map((item) => item.trim());
  return items
    .filter((item) => item !== '')
    .map((item) => {
      const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s/]+))(?::(\d{1,5}))?$/.exec(item);
      const port = Number(match?.[3] ?? DEFAULT_PORT);
      if (match === null || port < 1 || port > 65_535) {
        throw new LocalServiceError('NotReachable', `KAFKA_BROKERS: "${item}" is not host:port.`);
      }
      const host = match[1] ?? match[2];
      return { host, port, text: match[3] === undefined ? `${item}:${port}` : item };
    });
}

/** What every step of one start needs. */
interface Site {
  readonly directory: string;
  readonly java: string;
  readonly classPath: string;
  readonly onLog?: (line: string) => void;
}

/**
 * Starts an Apache Kafka of our own in `directory`; the first start on a machine fetches it. One that a killed process
 * left behind is stopped first. @throws LocalServiceError
 */
export async function startKafka(options: StartKafkaOptions, sources?: JarSources): Promise<LocalKafka> {
  const directory = resolve(options.directory);
  const jarSources = sources ?? (await readJarSources());
  const java = findJava(jarSources.environment);
  const classPath = await prepareKafkaJars(jarSources, options.onProgress);
  await makeFolder(directory);
  const release = await claimFolder(directory, 'Kafka');
  try {
    const site: Site = { directory, java, classPath, onLog: options.onLog };
    await clearLeftBehind(directory);
    await writeFile(join(directory, 'log4j2.properties'), LOG_PROPERTIES);
    const { server, port } = await startServer(site, options.port);
    const exited = server.exited.then(async (exit) => {
      await rm(join(directory, 'broker.json'), { force: true }).catch(() => undefined);
      await release().catch(() => undefined);
      return exit;
    });
    const stop = async (): Promise<void> => {
      await server.stop(STOP_LADDER);
      await exited;
    };
    return { brokers: [`127.0.0.1:${port}`], pid: server.pid, exited, stop };
  } catch (error) {
    await release();
    throw folderError(directory, error);
  }
}

async function clearLeftBehind(directory: string): Promise<void> {
  const earlier = await readIdentity(join(directory, 'broker.json'));
  if (earlier === undefined || !(await isSameProcessRunning(earlier))) return;
  if (await stopForeignProcess(earlier.pid, STOP_LADDER)) return;
  throw new LocalServiceError(
    'InUse',
    `An earlier Kafka (process ${earlier.pid}) still runs in ${directory} and does not stop. End it and start again.`,
  );
}

async function startServer(site: Site, wantedPort?: number): Promise<{ server: ChildService; port: number }> {
  const { directory } = site;
  for (let attempt = 1; ; attempt += 1) {
    const broker = await choosePort(join(directory, 'port'), wantedPort, 'Kafka');
    const kept = await choosePort(join(directory, 'controller-port'), undefined, 'Kafka');
    const controllerPort = kept.port === broker.port ? await findFreePort() : kept.port;
    const ports: KafkaPorts = { brokerPort: broker.port, controllerPort };
    if (!existsSync(join(directory, DATA_FOLDER))) await formatData(site, ports);
    await writeFile(join(directory, 'server.properties'), serverProperties(ports, DATA_FOLDER));
    const server = await ChildService.spawn(javaCommand(site, 'Kafka', ['kafka.Kafka', 'server.properties']));
    await writeDurably(join(directory, 'broker.json'), `${JSON.stringify(await identify(server.pid))}\n`, 0o600);
    if (await waitUntilReady(server, broker.port)) {
      await writeDurably(join(directory, 'port'), `${broker.port}\n`, 0o600);
      await writeDurably(join(directory, 'controller-port'), `${controllerPort}\n`, 0o600);
      return { server, port: broker.port };
    }
    const lines = server.lastLines();
    const lostPort = /Address already in use|BindException/.test(lines);
    if (lostPort && !broker.replaceable && !(await isPortFree(broker.port))) throw portTakenError(broker.port, 'Kafka');
    if (!lostPort || attempt >= START_ATTEMPTS) throw startError(site, lines);
  }
}

function startError({ directory, java }: Site, lines: string): LocalServiceError {
  const tooOld = lines.includes('UnsupportedClassVersionError');
  const hint = tooOld ? ` ${java} is too old: Kafka needs Java 17 or newer (set JAVA_HOME).` : '';
  return new LocalServiceError(
    tooOld ? 'TooOld' : 'StartFailed',
    `Kafka in ${directory} does not start.${hint} It said:\n${lines}`,
  );
}

function javaCommand(site: Site, name: string, args: readonly string[]): Parameters<typeof ChildService.spawn>[0] {
  return {
    name,
    file: site.java,
    args: [...JAVA_OPTIONS, '-cp', site.classPath, ...args],
    cwd: site.directory,
    // A path beyond ASCII can only be opened by a JVM whose locale has it.
    env: { ...process.env, LC_ALL: process.platform === 'linux' ? 'C.UTF-8' : process.env.LC_ALL },
    deathSignal: 'SIGTERM',
    onLog: site.onLog,
  };
}

/** Gives the data folder its cluster id, once. */
async function formatData(site: Site, ports: KafkaPorts): Promise<void> {
  const fresh = join(site.directory, NEW_DATA_FOLDER);
  const settings = 'format.properties';
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(join(site.directory, settings), serverProperties(ports, NEW_DATA_FOLDER));
  // As Kafka's own random-uuid: base64url of 16 bytes that does not look like an option.
  const clusterId = randomBytes(UUID_BYTES).toString('base64url').replace(/^-/, 'A');
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', settings];
  await runToEnd(javaCommand(site, "Kafka's format", format)).catch((error: unknown) => {
    throw error instanceof LocalServiceError ? startError(site, error.message) : error;
  });
  await rename(fresh, join(site.directory, DATA_FOLDER));
  await rm(join(site.directory, settings), { force: true });
  await syncFolder(site.directory);
}

/** False when the process ended before it served requests. */
async function waitUntilReady(server: ChildService, port: number): Promise<boolean> {
  const giveUpAtMs = performance.now() + READY_TIMEOUT_MS;
  while (server.running) {
    const serves = await probeKafka('127.0.0.1', port, PROBE_TIMEOUT_MS).then(
      () => true,
      () => false,
    );
    if (serves && server.running) return true;
    if (performance.now() > giveUpAtMs) {
      const said = server.lastLines();
      await server.stop(STOP_LADDER);
      throw new LocalServiceError(
        'StartFailed',
        `Kafka does not answer on 127.0.0.1:${port} after ${READY_TIMEOUT_MS / 1000} s. It said:\n${said}`,
      );
    }
    await sleep(READY_POLL_MS);
  }
  await server.exited;
  return false;
}
