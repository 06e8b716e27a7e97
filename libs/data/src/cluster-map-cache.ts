import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, type Clock } from '@holdfast/stdx';
import { backgroundCall, type CallContext, type MetadataMethods } from '@holdfast/contracts';
import { log } from '@holdfast/service-host';
import { ClusterView } from './cluster-view.js';

export interface ClusterMapCacheOptions {
  /** Time between two looks at the metadata service while the cache is started. */
  readonly pollMs?: number;
  readonly clock?: Clock;
}

const REFRESH_INTERVAL_MS = 1000;
const FIRST_WAIT_MS = 50;

/** The newest cluster map that this process has seen. A map is replaced whole, and never by an older one. */
export class ClusterMapCache {
  private current: ClusterView | undefined;
  private fetching: Promise<ClusterView> | undefined;
  private fetchedAtMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private readonly pollMs: number;
  private readonly clock: Clock;

  constructor(
    private readonly metadata: Pick<MetadataMethods, 'clusterMap'>,
    options: ClusterMapCacheOptions = {},
  ) {
    this.pollMs = options.pollMs ?? 5000;
    this.clock = options.clock ?? systemClock;
  }

  /** What is known now; undefined before the first fetch. */
  get view(): ClusterView | undefined {
    return this.current;
  }

  /** Errors: those of the metadata service, when no map is known yet. */
  async get(call: CallContext): Promise<ClusterView> {
    return this.current ?? this.fetch(call);
  }

  /** A look at the metadata service, unless the last one is younger than a second. Errors: those of the metadata service. */
  async refresh(call: CallContext): Promise<ClusterView> {
    const recent = this.clock.monotonicMs() - this.fetchedAtMs < REFRESH_INTERVAL_MS;
    return recent && this.current !== undefined ? this.current : this.fetch(call);
  }

  /**
   * After StaleEpoch: a map that is newer than the one refused. It exists, since a node has seen its epoch; the metadata
   * service is asked until it hands it out. Errors: those of the metadata service, once the deadline has passed.
   */
  async newerThan(call: CallContext, epoch: bigint): Promise<ClusterView> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(REFRESH_INTERVAL_MS, waitMs * 2)) {
      if (this.current !== undefined && this.current.epoch > epoch) return this.current;
      try {
        const view = await this.fetch(call);
        if (view.epoch > epoch || call.deadline.leftMs() <= waitMs) return view;
      } catch (error) {
        if (call.deadline.leftMs() <= waitMs) throw error;
      }
      await sleep(waitMs);
    }
  }

  start(): void {
    if (this.timer !== undefined) return;
    const look = (): void => {
      this.fetch(backgroundCall(this.pollMs)).catch((error: unknown) =>
        log.warn('the cluster map is not to be had', { error }),
      );
    };
    this.timer = setInterval(look, this.pollMs).unref();
    look();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private fetch(call: CallContext): Promise<ClusterView> {
    this.fetching ??= this.fetchOnce(call).finally(() => {
      this.fetching = undefined;
    });
    return this.fetching;
  }

  private async fetchOnce(call: CallContext): Promise<ClusterView> {
    const map = await this.metadata.clusterMap(call, {});
    this.fetchedAtMs = this.clock.monotonicMs();
    if (this.current === undefined || map.epoch > this.current.epoch) this.current = new ClusterView(map);
    return this.current;
  }
}
