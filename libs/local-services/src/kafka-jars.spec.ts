import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findJava, prepareKafkaJars, readJarSources, type JarSources } from './kafka-jars.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('the jars of Kafka', () => {
  let root: string;
  let sources: JarSources;
  const jars = [
    { coordinates: 'org.example:broker_2.13:4.3.1', sha256: sha256('broker bytes') },
    { coordinates: 'org.example:clients:4.3.1', sha256: sha256('clients bytes') },
  ];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'holdfast-jars-'));
    const list = { version: '4.3.1', jars };
    sources = { list, cache: join(root, 'cache'), environment: { PATH: join(root, 'bin') } };
    await mkdir(join(root, 'bin'));
  });
  afterEach(() => rm(root, { recursive: true }));

  async function fillCache(contents: Record<string, string>): Promise<void> {
    const folder = join(root, 'cache', 'kafka-4.3.1');
    await mkdir(folder, { recursive: true });
    for (const [name, text] of Object.entries(contents)) await writeFile(join(folder, name), text);
  }

  /** An mvn that writes the jars after a moment, so that two of them overlap. */
  async function installMaven(clientsText: string): Promise<void> {
    const script = [
      '#!/bin/sh',
      'PATH=/usr/bin:/bin; cat pom.xml >> "$0.poms"; sleep 0.2; mkdir jars',
      "printf 'broker bytes' > jars/broker_2.13-4.3.1.jar",
      `printf '${clientsText}' > jars/clients-4.3.1.jar`,
    ];
    await writeFile(join(root, 'bin', 'mvn'), `${script.join('\n')}\n`);
    await chmod(join(root, 'bin', 'mvn'), 0o755);
  }

  it('become a class path when every sum is right', async () => {
    await fillCache({ 'broker_2.13-4.3.1.jar': 'broker bytes', 'clients-4.3.1.jar': 'clients bytes', 'evil.jar': 'x' });
    const folder = join(root, 'cache', 'kafka-4.3.1');
    await expect(prepareKafkaJars(sources)).resolves.toBe(
      `${folder}/broker_2.13-4.3.1.jar:${folder}/clients-4.3.1.jar`,
    );
  });

  it('are refused by name when one is damaged, and the damaged one is left for a look', async () => {
    await fillCache({ 'broker_2.13-4.3.1.jar': 'broker bytes', 'clients-4.3.1.jar': 'clients bytez' });
    await expect(prepareKafkaJars(sources)).rejects.toMatchObject({
      code: 'DamagedFile',
      message: expect.stringContaining('clients-4.3.1.jar (org.example:clients:4.3.1) is not the file it should be'),
    });
    const kept = await readFile(join(root, 'cache', 'kafka-4.3.1', 'clients-4.3.1.jar'), 'utf8');
    expect(kept).toBe('clients bytez');
  });

  it('are refused by name when one is missing', async () => {
    await fillCache({ 'broker_2.13-4.3.1.jar': 'broker bytes' });
    await expect(prepareKafkaJars(sources)).rejects.toMatchObject({
      code: 'DamagedFile',
      message: expect.stringContaining('clients-4.3.1.jar'),
    });
  });

  it('are fetched once by mvn, each without its own dependencies, also by two starters at once', async () => {
    await installMaven('clients bytes');
    const said: string[] = [];
    const onProgress = (message: string) => void said.push(message);
    const [first, second] = await Promise.all([
      prepareKafkaJars(sources, onProgress),
      prepareKafkaJars(sources, onProgress),
    ]);
    expect(second).toBe(first);
    expect(said[0]).toContain('Fetching Apache Kafka 4.3.1');
    expect(await readdir(join(root, 'cache'))).toEqual(['kafka-4.3.1']);
    const pom = await readFile(join(root, 'bin', 'mvn.poms'), 'utf8');
    expect(pom).toContain('<artifactId>broker_2.13</artifactId><version>4.3.1</version><exclusions>');

    said.length = 0;
    await prepareKafkaJars(sources, onProgress);
    expect(said).toEqual([]);
  });

  it('do not enter the cache when what mvn brought is not what the list says', async () => {
    await installMaven('other bytes');
    await expect(prepareKafkaJars(sources)).rejects.toMatchObject({
      code: 'DamagedFile',
      message: expect.stringContaining('clients-4.3.1.jar'),
    });
    expect(await readdir(join(root, 'cache'))).toEqual([]);
  });

  it('need mvn, and the error says what to install or to set', async () => {
    await expect(prepareKafkaJars(sources)).rejects.toMatchObject({
      code: 'BinaryMissing',
      message: expect.stringMatching(/no mvn in PATH.*Install Maven.*KAFKA_BROKERS/s),
    });
  });

  it('need java, and the error says what to install or to set', async () => {
    expect(() => findJava(sources.environment)).toThrow(/Java 17 or newer.*KAFKA_BROKERS/s);
    const home = join(root, 'jdk');
    await mkdir(join(home, 'bin'), { recursive: true });
    await writeFile(join(home, 'bin', 'java'), '', { mode: 0o755 });
    await writeFile(join(root, 'bin', 'java'), '', { mode: 0o755 });
    expect(findJava({ ...sources.environment, JAVA_HOME: home })).toBe(join(home, 'bin', 'java'));
    expect(findJava(sources.environment)).toBe(join(root, 'bin', 'java'));
  });

  it('are listed with full coordinates and sums', async () => {
    const { list } = await readJarSources();
    expect(list.jars.map((jar) => jar.coordinates)).toContain(`org.apache.kafka:kafka_2.13:${list.version}`);
    for (const jar of list.jars) {
      expect(jar.coordinates).toMatch(/^[\w.-]+:[\w.-]+:[\w.-]+$/);
      expect(jar.sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  });
});
