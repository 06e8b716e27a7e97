/** A cluster in containers that `docker compose` runs already: the tests do to its containers what they do to processes. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { eventually, TestedStore, type Credentials, type Members, type Plan, type ProcessRow } from './tested-store.js';

const run = promisify(execFile);

const PLAN_FOLDER = '/run/holdfast/cluster';
const READY_SECONDS = 60;

export interface ComposedStoreOptions {
  readonly endpoint: string;
  readonly admin: string;
  readonly root: Credentials;
  /** Name of the Compose project. */
  readonly project: string;
}

/** What the tests read of `docker inspect`. */
interface Container {
  readonly Id: string;
  readonly Config: { readonly Labels: Record<string, string> };
  readonly State: { readonly Status: string; readonly Pid: number; readonly Health?: { readonly Status: string } };
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string }> };
}

async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args, { maxBuffer: 64 * 1024 * 1024 })).stdout;
}

const nameOf = (container: Container): string => container.Config.Labels['com.docker.compose.service'];
const isReady = (container: Container): boolean => container.State.Health?.Status === 'healthy';

export class ComposedStore extends TestedStore {
  readonly endpoint: string;
  readonly admin: string;
  readonly root: Credentials;

  constructor(private readonly options: ComposedStoreOptions) {
    super();
    ({ endpoint: this.endpoint, admin: this.admin, root: this.root } = options);
  }

  /** Those of the services; `prepare` has ended long ago. */
  private async containers(names: readonly string[] = []): Promise<Container[]> {
    const label = `label=com.docker.compose.project=${this.options.project}`;
    const ids = (await docker('ps', '--all', '--quiet', '--filter', label)).split('\n').filter((id) => id !== '');
    const all = JSON.parse(await docker('inspect', ...ids)) as Container[];
    const services = all.filter((one) => one.State.Health !== undefined);
    return services.filter((one) => names.length === 0 || names.includes(nameOf(one)));
  }

  private async untilReady(names: readonly string[] = []): Promise<void> {
    await eventually(async () => (await this.containers(names)).every(isReady), READY_SECONDS);
  }

  async control(word: string, ...names: string[]): Promise<ProcessRow[]> {
    if (word !== 'status') {
      await docker(word, ...(await this.containers(names)).map((one) => one.Id));
      if (word === 'start') await this.untilReady(names);
    }
    return (await this.containers(names)).map((one) => ({
      name: nameOf(one),
      state: isReady(one) ? 'ready' : one.State.Status,
      pid: one.State.Pid,
    }));
  }

  private async inside(name: string, ...command: string[]): Promise<string> {
    const [container] = await this.containers([name]);
    return docker('exec', container.Id, ...command);
  }

  async trace(requestId: string): Promise<string> {
    // The command fails when it finds nothing and says so.
    const command = ['node', 'apps/cluster/dist/trace.js', requestId, '--data', PLAN_FOLDER];
    return this.inside('data', ...command).catch((error: { stdout: string }) => error.stdout);
  }

  async members(): Promise<Members> {
    return {
      plan: JSON.parse(await this.inside('data', 'cat', `${PLAN_FOLDER}/cluster.json`)) as Plan,
      clusterSecret: (await this.inside('data', 'cat', `${PLAN_FOLDER}/cluster-secret`)).trim(),
      hostOf: async (name) => {
        const [container] = await this.containers([name]);
        return Object.values(container.NetworkSettings.Networks)[0].IPAddress;
      },
    };
  }

  async kill(): Promise<void> {
    await this.control('kill');
  }

  async stop(): Promise<number> {
    await this.control('stop');
    return 0;
  }

  async launch(): Promise<void> {
    await this.control('start');
  }

  /** It was there before the tests, and stays. */
  async remove(): Promise<void> {}
}
