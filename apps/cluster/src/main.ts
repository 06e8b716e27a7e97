/** `npm run cluster`: every service as a process of its own on this machine, under one supervising starter. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  claimFolder,
  clusterSecret,
  LocalServiceError,
  parseStartOptions,
  rootCredentials,
  welcomeText,
  type StartOptions,
} from '@holdfast/local-services';
import {
  ConfigError,
  HealthState,
  InternalAuthenticator,
  InternalHttpServer,
  onStopSignal,
  orExplain,
} from '@holdfast/service-host';
import { plannedSets, preparePlan, readPlan, savePlan, type ClusterPlan } from './cluster-plan.js';
import { clusterConfig } from './cluster.config.js';
import { ACTIONS, askControl, processTable, serveControl, type Action } from './control.js';
import type { ProcessView } from './managed-process.js';
import { clusterMembers, type Members } from './members.js';

const config = orExplain(() => clusterConfig());
const APPS = fileURLToPath(new URL('../..', import.meta.url));

async function command(options: StartOptions): Promise<void> {
  const [word, name] = options.words;
  const plan = await readPlan(options.dataDirectory);
  if (!plan) throw new LocalServiceError('BadOption', `no cluster was started on ${options.dataDirectory}`);
  const auth = new InternalAuthenticator(Buffer.from(await clusterSecret(options.dataDirectory), 'hex'));
  const isAction = (ACTIONS as readonly string[]).includes(word);
  if (word !== 'status' && !(isAction && name)) {
    throw new LocalServiceError(
      'BadOption',
      'usage: npm run cluster -- [status | stop NAME | kill NAME | start NAME] [--data DIR]',
    );
  }
  const path = word === 'status' ? '/processes' : `/processes/${name}/${word as Action}`;
  const views = await askControl(auth, plan.control, word === 'status' ? 'GET' : 'POST', path).catch(
    (error: unknown) => {
      const refused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
      throw new LocalServiceError(
        'NotReachable',
        refused
          ? `no starter runs on ${options.dataDirectory}: npm run cluster -- --data ${options.dataDirectory}`
          : String((error as Error).message),
      );
    },
  );
  console.log(processTable(views));
}

/** Starts the members stage by stage; those of one stage at the same time. */
async function startStages(members: Members): Promise<void> {
  for (const stage of members.stages) await Promise.all(stage.map((member) => member.start()));
}

async function stopStages(members: Members): Promise<void> {
  for (const stage of [...members.stages].reverse()) await Promise.all(stage.map((member) => member.stop()));
}

function announce(view: ProcessView): void {
  console.log(`  ${view.name.padEnd(14)} ${view.state}${view.pid === undefined ? '' : `  pid ${view.pid}`}`);
}

async function writeTopology(dataDirectory: string, plan: ClusterPlan): Promise<string> {
  const file = join(dataDirectory, 'topology.json');
  await writeFile(file, `${JSON.stringify({ clusterId: plan.clusterId, sets: plannedSets(plan) }, null, 2)}\n`);
  return file;
}

async function run(options: StartOptions): Promise<void> {
  const directory = options.dataDirectory;
  if (options.bootstrapFile !== undefined) {
    // As the IAM service will: a file that is not valid is told before anything is started.
    await (await import('@holdfast/identity')).readBootstrapFile(options.bootstrapFile);
  }
  const plan = await preparePlan(directory, options.devices, options.apis);
  const release = await claimFolder(directory, 'A cluster');
  const secret = await clusterSecret(directory);
  const credentials = await rootCredentials(directory, process.env);
  await mkdir(join(directory, 'logs'), { recursive: true, mode: 0o700 });
  const topologyFile = await writeTopology(directory, plan);
  console.log(`Starting the cluster on ${directory}`);
  const members = await clusterMembers({
    apps: APPS,
    options,
    config,
    plan,
    secret,
    credentials,
    topologyFile,
    onChange: announce,
  });
  const control = new InternalHttpServer({
    host: '127.0.0.1',
    port: plan.control,
    auth: new InternalAuthenticator(Buffer.from(secret, 'hex')),
    health: new HealthState(),
  });
  serveControl(control, members.stages.flat());
  await control.listen();

  onStopSignal(() => {
    console.log('\nStopping …');
    void stopStages(members)
      .then(() => control.close())
      .then(release)
      .then(() => process.exit(0));
  });

  try {
    await startStages(members);
  } catch (error) {
    console.error(`holdfast: ${(error as Error).message}`);
    await stopStages(members);
    await release();
    process.exit(1);
  }
  if (!plan.devicesMade) {
    plan.devicesMade = true;
    await savePlan(directory, plan);
  }
  console.log(processTable(members.stages.flat().map((member) => member.view())));
  const shown = options.host === '0.0.0.0' ? '127.0.0.1' : options.host;
  console.log(
    welcomeText({
      endpoint: `http://${shown}:${options.port}`,
      admin: `http://${shown}:${options.adminPort}`,
      credentials,
      dataDirectory: directory,
    }),
  );
  console.log('npm run cluster -- status | stop NAME | kill NAME | start NAME    (with the same --data)');
}

try {
  const options = parseStartOptions(process.argv.slice(2), {
    command: 'npm run cluster',
    dataDirectory: 'data/cluster',
    apis: 2,
    bootstrapFile: config.BOOTSTRAP_FILE,
  });
  await (options.words.length > 0 ? command(options) : run(options));
} catch (error) {
  if (!(error instanceof LocalServiceError || error instanceof ConfigError)) throw error;
  console.error(`holdfast: ${error.message}`);
  process.exit(1);
}
