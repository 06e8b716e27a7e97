import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startKafka, type LocalKafka } from './kafka.js';
import { isRunning } from './process-table.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const TOPIC = 'holdfast.kept';
const TEST_TIMEOUT_MS = 180_000;

const HOLD = `
  import { startKafka } from './dist/index.js';
  const { brokers, pid } = await startKafka({ directory: process.env.KAFKA_FOLDER });
  console.log(JSON.stringify({ brokers, pid }));
`;

function connect(brokers: string[]): Kafka {
  const retry = { initialRetryTime: 50, retries: 20, maxRetryTime: 500 };
  return new Kafka({ clientId: 'test', brokers, logLevel: logLevel.NOTHING, retry });
}

async function send(brokers: string[], values: string[]): Promise<void> {
  const producer = connect(brokers).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({ topic: TOPIC, acks: -1, messages: values.map((value) => ({ value })) });
  await producer.disconnect();
}

async function readAll(brokers: string[], count: number): Promise<string[]> {
  const consumer = connect(brokers).consumer({ groupId: `reader-${count}` });
  await consumer.connect();
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
  const values: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }): Promise<void> => {
      values.push(String(message.value));
      if (values.length === count) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return values;
}

describe('our own Kafka', () => {
  let directory: string;
  let running: LocalKafka | undefined;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    execFileSync(process.execPath, ['tools/build.mjs', 'libs/local-services'], { cwd: join(PROJECT, '..', '..') });
    directory = join(await mkdtemp(join(tmpdir(), 'holdfast-kafka-')), 'kafka');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await running?.stop();
  });
  afterAll(() => rm(join(directory, '..'), { recursive: true, force: true }));

  async function startAndKill(work: (brokers: string[]) => Promise<void>): Promise<number> {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', HOLD], {
      cwd: PROJECT,
      env: { ...process.env, KAFKA_FOLDER: directory },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const ended = once(child, 'close');
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { brokers, pid } = JSON.parse(line) as { brokers: string[]; pid: number };
    await work(brokers);
    child.kill('SIGKILL');
    await ended;
    return pid;
  }

  it(
    'keeps its events over a kill of its parent and over a restart, and makes no topic that nobody asked for',
    async () => {
      const pid = await startAndKill(async (brokers) => {
        const admin = connect(brokers).admin();
        await admin.connect();
        await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: true });
        await admin.disconnect();
        await send(brokers, ['one', 'two']);
      });

      running = await startKafka({ directory });
      expect(await isRunning(pid)).toBe(false);
      expect(await readAll(running.brokers, 2)).toEqual(['one', 'two']);
      await send(running.brokers, ['three']);
      await expect(startKafka({ directory })).rejects.toMatchObject({ code: 'InUse' });
      const [address] = running.brokers;
      await running.stop();
      expect(await running.exited).toMatchObject({ requested: true });

      running = await startKafka({ directory });
      expect(running.brokers).toEqual([address]);
      expect(await readAll(running.brokers, 3)).toEqual(['one', 'two', 'three']);
      const admin = connect(running.brokers).admin();
      await admin.connect();
      await admin.fetchTopicMetadata({ topics: ['never.made'] }).catch(() => undefined);
      expect(await admin.listTopics()).not.toContain('never.made');
      await admin.disconnect();
    },
    TEST_TIMEOUT_MS,
  );
});
