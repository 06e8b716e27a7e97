import { Agent, get } from 'node:http';

/** One server behind the balancer. */
export class Backend {
  readonly host: string;
  readonly port: number;
  readonly agent = new Agent({ keepAlive: true, maxSockets: 1024, maxFreeSockets: 64 });
  healthy = false;
  /** Requests sent here since the start. */
  requests = 0;
  inFlight = 0;

  /** `address`: host:port. */
  constructor(readonly address: string) {
    const at = address.lastIndexOf(':');
    this.host = address.slice(0, at);
    this.port = Number(address.slice(at + 1));
  }
}

export interface BackendPoolOptions {
  readonly addresses: readonly string[];
  /** Asked with GET; 200 means ready. */
  readonly healthPath: string;
  readonly checkIntervalMs: number;
}

/**
 * The servers in a ring. Each turn goes to the next healthy one after the one before, so N requests over M healthy servers
 * differ by at most one. A server is out as soon as a connection to it fails, and in again when its readiness says so.
 */
export class BackendPool {
  readonly backends: readonly Backend[];
  private next = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: BackendPoolOptions) {
    this.backends = options.addresses.map((address) => new Backend(address));
  }

  async start(): Promise<void> {
    await this.checkAll();
    this.timer = setInterval(() => void this.checkAll(), this.options.checkIntervalMs);
  }

  stop(): void {
    clearInterval(this.timer);
    for (const backend of this.backends) backend.agent.destroy();
  }

  get healthyCount(): number {
    return this.backends.filter((backend) => backend.healthy).length;
  }

  /** The next healthy server that is not in `tried`, or undefined. */
  take(tried: ReadonlySet<Backend>): Backend | undefined {
    for (let step = 0; step < this.backends.length; step += 1) {
      const index = (this.next + step) % this.backends.length;
      const backend = this.backends[index];
      if (!backend.healthy || tried.has(backend)) continue;
      this.next = (index + 1) % this.backends.length;
      return backend;
    }
    return undefined;
  }

  /** A connection to it failed: it gets nothing more until a check succeeds. */
  suspect(backend: Backend): void {
    backend.healthy = false;
  }

  private async checkAll(): Promise<void> {
    await Promise.all(this.backends.map(async (backend) => (backend.healthy = await this.check(backend))));
  }

  private check(backend: Backend): Promise<boolean> {
    return new Promise((resolve) => {
      // A connection of its own: a check must not wait behind the requests that it is to protect.
      const request = get(
        {
          host: backend.host,
          port: backend.port,
          path: this.options.healthPath,
          agent: false,
          timeout: 1000,
          headers: { host: backend.address },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode === 200);
        },
      );
      request.on('timeout', () => request.destroy());
      request.on('error', () => resolve(false));
    });
  }
}
