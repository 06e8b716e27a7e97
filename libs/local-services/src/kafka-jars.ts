/**
 * The jars of Apache Kafka: the committed list `kafka-jars.json` names each by Maven coordinates and SHA-256. They are
 * fetched once with the machine's mvn (which knows its mirrors and proxies) into the cache and verified at every start.
 * A jar with another sum is refused and never replaced silently: somebody should look at it.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { cacheFolder } from './cache-folder.js';
import { runToEnd } from './child-service.js';
import { errorCode, errorReason } from './error-facts.js';
import { findProgram } from './find-program.js';
import { LocalServiceError } from './local-service-error.js';
import { folderError } from './service-folder.js';

const ELSEWHERE = 'or set KAFKA_BROKERS=host:port to a Kafka that runs elsewhere';

export interface KafkaJar {
  /** group:artifact:version */
  readonly coordinates: string;
  /** Hex. */
  readonly sha256: string;
}

export interface KafkaJarList {
  readonly version: string;
  readonly jars: readonly KafkaJar[];
}

/** Parts of the surroundings that a test replaces. */
export interface JarSources {
  readonly list: KafkaJarList;
  /** The folder that holds the versions. */
  readonly cache: string;
  readonly environment: NodeJS.ProcessEnv;
}

export async function readJarSources(): Promise<JarSources> {
  const text = await readFile(new URL('./kafka-jars.json', import.meta.url), 'utf8');
  return { list: JSON.parse(text) as KafkaJarList, cache: cacheFolder(), environment: process.env };
}

/** The machine's java. @throws LocalServiceError `BinaryMissing` that says what to install */
export function findJava(environment: NodeJS.ProcessEnv): string {
  const home = environment.JAVA_HOME;
  const fromHome = home === undefined || home === '' ? undefined : join(home, 'bin', 'java');
  const found = fromHome !== undefined && existsSync(fromHome) ? fromHome : findProgram('java', environment);
  if (found !== undefined) return found;
  throw new LocalServiceError(
    'BinaryMissing',
    'Kafka needs Java 17 or newer, and there is no java in JAVA_HOME or PATH. ' +
      `Install one (Debian: apt-get install openjdk-17-jre-headless), ${ELSEWHERE}.`,
  );
}

function fileName(jar: KafkaJar): string {
  const [, artifact, version] = jar.coordinates.split(':');
  return `${artifact}-${version}.jar`;
}

/**
 * The class path of Kafka; fetches the jars when the cache has none. Two starters at once do not disturb each other.
 * @throws LocalServiceError `DamagedFile` that names the jar, `BinaryMissing` without mvn
 */
export async function prepareKafkaJars(sources: JarSources, onProgress?: (message: string) => void): Promise<string> {
  const folder = join(sources.cache, `kafka-${sources.list.version}`);
  if (!existsSync(folder)) await fetchJars(sources, folder, onProgress);
  await verifyJars(sources.list, folder);
  return sources.list.jars.map((jar) => join(folder, fileName(jar))).join(delimiter);
}

async function verifyJars(list: KafkaJarList, folder: string): Promise<void> {
  for (const jar of list.jars) {
    const path = join(folder, fileName(jar));
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new LocalServiceError(
        'DamagedFile',
        `${path} (${jar.coordinates}) cannot be read: ${errorCode(error)}. Remove ${folder} to have it fetched again.`,
        { cause: error },
      );
    });
    const actual = createHash('sha256').update(bytes).digest('hex');
    if (actual === jar.sha256) continue;
    throw new LocalServiceError(
      'DamagedFile',
      `${path} (${jar.coordinates}) is not the file it should be: its SHA-256 is ${actual}, expected ${jar.sha256}. ` +
        `It was damaged or changed and is not run. Remove ${folder} to have it fetched again.`,
    );
  }
}

async function fetchJars(
  sources: JarSources,
  folder: string,
  onProgress: ((message: string) => void) | undefined,
): Promise<void> {
  const { list, environment } = sources;
  const maven = findProgram('mvn', environment);
  if (maven === undefined) {
    throw new LocalServiceError(
      'BinaryMissing',
      `Apache Kafka ${list.version} is not in ${folder} yet, and there is no mvn in PATH to fetch it. ` +
        `Install Maven (Debian: apt-get install maven), copy that folder from a machine that has it, ${ELSEWHERE}.`,
    );
  }
  onProgress?.(`Fetching Apache Kafka ${list.version} with mvn (about 44 MB, once) into ${folder}`);
  let temporary: string | undefined;
  try {
    await mkdir(dirname(folder), { recursive: true });
    temporary = await mkdtemp(`${folder}.new-`);
    await writeFile(join(temporary, 'pom.xml'), pomOf(list));
    await runMaven(maven, temporary, environment);
    const jars = join(temporary, 'jars');
    await verifyJars(list, jars);
    await rename(jars, folder);
  } catch (error) {
    // Another starter was faster; its jars are verified like ours.
    if (!['ENOTEMPTY', 'EEXIST'].includes(errorCode(error) ?? '')) throw folderError(dirname(folder), error);
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  }
}

async function runMaven(maven: string, folder: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=jars'];
  try {
    await runToEnd({
      name: 'mvn',
      file: maven,
      args: ['--batch-mode', '--quiet', '--file', 'pom.xml', ...goal],
      cwd: folder,
      env: environment,
      deathSignal: 'SIGTERM',
    });
  } catch (error) {
    throw new LocalServiceError(
      'BinaryMissing',
      `Apache Kafka could not be fetched. Check the network and Maven's settings (~/.m2/settings.xml), ${ELSEWHERE}. ` +
        errorReason(error),
      { cause: error },
    );
  }
}

/** Every jar by itself, without what it depends on: the list, not a resolver, says what runs. */
function pomOf(list: KafkaJarList): string {
  const dependencies = list.jars.map(({ coordinates }) => {
    const [group, artifact, version] = coordinates.split(':');
    return (
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>` +
      '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>'
    );
  });
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    '<groupId>holdfast</groupId><artifactId>kafka</artifactId><version>1</version>\n' +
    `<dependencies>\n${dependencies.join('\n')}\n</dependencies></project>\n`
  );
}
