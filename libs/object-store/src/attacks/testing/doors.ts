/**
 * The two ways into a store, over the ports in memory: straight to an API, and through the load balancer. A request that
 * passes both has to get the same verdict from both (docs/attacks.md).
 */
import { TraceLog } from '@holdfast/contracts';
import { S3Listener, type GatewayOptions } from '@holdfast/gateway';
import { ReverseProxy, type ReverseProxyOptions } from '@holdfast/load-balancer';
import { configureLog, InternalAuthenticator } from '@holdfast/service-host';
import {
  InMemoryPorts,
  presignRequest,
  RawConnection,
  sendRequest,
  signRequest,
  type PlainAnswer,
  type PlainRequest,
  type RawAnswer,
  type SigningKeys,
  type SigningOptions,
} from '@holdfast/testkit';

export const DOORS = ['API', 'load balancer'] as const;
export type Door = (typeof DOORS)[number];

const SECRET = Buffer.alloc(32, 7);

/** What both doors are held to. */
export interface DoorOptions {
  readonly limits?: GatewayOptions['limits'] & ReverseProxyOptions['limits'];
  readonly trustedProxies?: GatewayOptions['trustedProxies'];
  /** Base domains of hosts that name a bucket. */
  readonly domains?: GatewayOptions['domains'];
  readonly signatureV2?: GatewayOptions['signatureV2'];
}

export class Doors {
  readonly ports = new InMemoryPorts();
  readonly main = this.ports.memoryIdentity.addAccount('main');
  readonly other = this.ports.memoryIdentity.addAccount('other');
  readonly bearer = this.ports.memoryIdentity.tokenOf(this.main.accessKeyId);
  private readonly api: S3Listener;
  private balancer: ReverseProxy | undefined;
  private readonly taken = new Map<Door, number>();
  private readonly connections: RawConnection[] = [];

  private constructor(options: DoorOptions) {
    configureLog({ service: 'test', level: 'error' });
    this.api = new S3Listener(this.ports, { edge: new InternalAuthenticator(SECRET), ...options });
  }

  /** With the bucket `bucket` of `main` and the bucket `theirs` of `other`, each with the object `key`. */
  static async open(options: DoorOptions = {}): Promise<Doors> {
    const doors = new Doors(options);
    const apiPort = await doors.api.listen(0);
    doors.balancer = new ReverseProxy({
      host: '127.0.0.1',
      port: 0,
      addresses: [`127.0.0.1:${apiPort}`],
      healthPath: '/_holdfast/health/ready',
      auth: new InternalAuthenticator(SECRET),
      trace: new TraceLog('load-balancer'),
      connectTimeoutMs: 500,
      checkIntervalMs: 500,
      ownHealthPaths: [],
      ...options,
    });
    doors.taken.set('API', apiPort).set('load balancer', await doors.balancer.listen());
    await doors.put(doors.main, 'bucket');
    await doors.put(doors.other, 'theirs');
    return doors;
  }

  async close(): Promise<void> {
    for (const connection of this.connections.splice(0)) connection.destroy();
    await this.balancer?.drain(100);
    await this.api.close();
  }

  port(door: Door): number {
    return this.taken.get(door) ?? 0;
  }

  host(door: Door): string {
    return `127.0.0.1:${this.port(door)}`;
  }

  send(door: Door, request: PlainRequest): Promise<PlainAnswer> {
    return sendRequest(this.port(door), request);
  }

  /** Headers that sign the request for this door. */
  sign(door: Door, request: PlainRequest, keys: SigningKeys = this.main, options: Partial<SigningOptions> = {}) {
    return signRequest(request, keys, { host: this.host(door), ...options });
  }

  /** Signs and sends; `extra` headers are added after the signature. */
  sendSigned(
    door: Door,
    request: PlainRequest,
    keys: SigningKeys = this.main,
    options: Partial<SigningOptions> & { readonly extra?: Readonly<Record<string, string>> } = {},
  ): Promise<PlainAnswer> {
    const headers = this.sign(door, request, keys, options);
    return this.send(door, { ...request, headers: { ...headers, ...options.extra } });
  }

  presign(
    door: Door,
    request: PlainRequest,
    keys: SigningKeys = this.main,
    options: Partial<SigningOptions> & { readonly expires?: string } = {},
  ): string {
    return presignRequest(request, keys, { host: this.host(door), ...options });
  }

  async connect(door: Door): Promise<RawConnection> {
    const connection = await RawConnection.open(this.port(door));
    this.connections.push(connection);
    return connection;
  }

  /** One answer to bytes that no client would send. */
  async sendBytes(door: Door, bytes: string | Buffer): Promise<RawAnswer> {
    const connection = await this.connect(door);
    connection.send(bytes);
    return connection.answer();
  }

  /** A request of `main` by token, as text. */
  text(line: string, ...headers: string[]): string {
    return `${[line, 'Host: localhost', `Authorization: Bearer ${this.bearer}`, ...headers].join('\r\n')}\r\n\r\n`;
  }

  /** Calls to metadata and data beside the look at a bucket's record, where its policy stands: a refusal makes none. */
  get callsBeyondPolicies(): string[] {
    return this.ports.backendCalls.filter((name) => name !== 'metadata.findBucket');
  }

  /** What is stored under a key of `main`, or the error code. */
  async stored(path: string): Promise<string> {
    const answer = await this.sendSigned('API', { method: 'GET', path });
    return answer.status === 200 ? answer.text : answer.code;
  }

  private async put(keys: SigningKeys, bucket: string): Promise<void> {
    for (const path of [`/${bucket}`, `/${bucket}/key`]) {
      const answer = await this.sendSigned(
        'API',
        { method: 'PUT', path, body: path.endsWith('key') ? bucket : '' },
        keys,
      );
      if (answer.status !== 200) throw new Error(`the fixture was refused: ${answer.text}`);
    }
  }
}
