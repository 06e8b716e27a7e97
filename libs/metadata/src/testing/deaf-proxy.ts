import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Stands between a service and its Postgres; can lose what Postgres answers, with the connection, after it was asked. */
export class DeafProxy {
  private readonly sockets = new Set<Socket>();
  private deaf = false;
  private tellLost: () => void = () => undefined;
  lost: Promise<void> = Promise.resolve();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(targetPort: number): Promise<DeafProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new DeafProxy(server, (server.address() as AddressInfo).port);
    server.on('connection', (client) => proxy.join(client, targetPort));
    return proxy;
  }

  private join(client: Socket, targetPort: number): void {
    const target = connect(targetPort, '127.0.0.1');
    for (const socket of [client, target]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    }
    client.pipe(target);
    target.on('data', (bytes) => {
      if (!this.deaf) client.write(bytes);
      else {
        client.destroy();
        this.tellLost();
      }
    });
    target.on('close', () => client.destroy());
    client.on('close', () => target.end());
  }

  /** From now on an answer takes its connection with it; `lost` resolves at the first one. */
  loseAnswers(): void {
    this.lost = new Promise((resolve) => {
      this.tellLost = resolve;
    });
    this.deaf = true;
  }

  hearAgain(): void {
    this.deaf = false;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
