/** Kafka or Postgres as a member of the cluster: local-services runs it, the starter names it. */
import type { Managed, ProcessState, ProcessView } from './managed-process.js';

export interface RunningServer {
  /** Absent for one that others run. */
  readonly pid?: number;
  readonly exited: Promise<{ requested: boolean }>;
  stop(): Promise<void>;
}

export class ManagedServer implements Managed {
  private state: ProcessState = 'stopped';
  private server: RunningServer | undefined;
  private restarts = 0;

  constructor(
    readonly name: string,
    private readonly where: () => string,
    private readonly run: () => Promise<RunningServer>,
    private readonly onChange: (view: ProcessView) => void,
  ) {}

  view(): ProcessView {
    return {
      name: this.name,
      state: this.state,
      restarts: this.restarts,
      where: this.where(),
      ...(this.server?.pid === undefined ? {} : { pid: this.server.pid }),
    };
  }

  async start(): Promise<void> {
    if (this.server) return;
    this.change('starting');
    const server = await this.run();
    this.server = server;
    this.change('ready');
    void server.exited.then(() => this.ended(server));
  }

  async stop(): Promise<void> {
    this.change('stopping');
    await this.server?.stop();
    this.server = undefined;
    this.change('stopped');
  }

  async kill(): Promise<void> {
    const server = this.server;
    if (server && server.pid === undefined) throw new Error(`${this.name} is run by others: stop it there`);
    this.change('killed');
    if (server?.pid === undefined) return;
    process.kill(server.pid, 'SIGKILL');
    await server.exited;
    this.server = undefined;
  }

  private ended(server: RunningServer): void {
    if (this.server !== server) return;
    this.server = undefined;
    if (this.state !== 'ready') return;
    this.change('crashed');
    setTimeout(() => {
      if (this.state !== 'crashed') return;
      this.restarts += 1;
      this.start().catch(() => this.change('crashed'));
    }, 500).unref();
  }

  private change(state: ProcessState): void {
    if (this.state === state) return;
    this.state = state;
    this.onChange(this.view());
  }
}
