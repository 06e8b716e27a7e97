import { z } from 'zod';
import { HoldfastError } from '@holdfast/contracts';
import { onStore } from '../access.js';
import { route, type AdminRoute } from '../route.js';
import * as shapes from '../schemas.js';

const OfRequest = z.strictObject({
  requestId: z.string().regex(/^[0-9A-F]{16}$/, 'must be 16 upper-case hexadecimal digits'),
});

/** Health, numbers and state of the store. */
export const STORE_ROUTES: readonly AdminRoute[] = [
  route({
    id: 'live',
    method: 'GET',
    path: '/health/live',
    tag: 'store',
    summary: 'The process answers.',
    access: 'public',
    status: 200,
    answer: shapes.Health,
    handle: async () => ({ status: 'ok' as const }),
  }),
  route({
    id: 'ready',
    method: 'GET',
    path: '/health/ready',
    tag: 'store',
    summary: 'Requests can be answered.',
    access: 'public',
    status: 200,
    answer: shapes.Health,
    async handle({ ports }) {
      const ready = (await ports.isReady?.().catch(() => false)) ?? true;
      if (!ready) throw new HoldfastError('ServiceUnavailable');
      return { status: 'ok' as const };
    },
  }),
  route({
    id: 'getMetrics',
    method: 'GET',
    path: '/metrics',
    tag: 'store',
    summary: 'Numbers in the text format of Prometheus.',
    access: onStore('holdfast:GetMetrics'),
    status: 200,
    text: 'text/plain; version=0.0.4',
    answer: z.string(),
    async handle({ ports, call }) {
      const { outbox, oldestReplicateMs, objects, bytes } = await ports.metadata.status(call, {});
      const lines = ['# TYPE holdfast_outbox_rows gauge'];
      for (const kind of Object.keys(outbox)) lines.push(`holdfast_outbox_rows{kind="${kind}"} ${outbox[kind]}`);
      const gauges = { replication_lag_seconds: oldestReplicateMs / 1000, objects, object_bytes: bytes };
      for (const [name, value] of Object.entries(gauges)) {
        lines.push(`# TYPE holdfast_${name} gauge`, `holdfast_${name} ${value}`);
      }
      return `${ports.metrics.render()}${lines.join('\n')}\n`;
    },
  }),
  route({
    id: 'getStatus',
    method: 'GET',
    path: '/admin/v1/status',
    tag: 'store',
    summary: 'Counts of the store, and what it owes.',
    access: onStore('holdfast:GetStatus'),
    status: 200,
    answer: shapes.StoreStatus,
    async handle({ ports, call }) {
      const { epoch, outbox, ...counts } = await ports.metadata.status(call, {});
      return { ...counts, epoch: epoch.toString(), outbox, repairsOwed: outbox['repair'] ?? 0 };
    },
  }),
  route({
    id: 'getCluster',
    method: 'GET',
    path: '/admin/v1/cluster',
    tag: 'store',
    summary: 'Sets, nodes, controllers and devices with their states, as of the newest epoch.',
    access: onStore('holdfast:GetCluster'),
    status: 200,
    answer: shapes.Cluster,
    async handle({ ports, call }) {
      const { epoch, ...map } = await ports.metadata.clusterMap(call, {});
      return { ...map, epoch: epoch.toString() };
    },
  }),
  route({
    id: 'getTrace',
    method: 'GET',
    path: '/admin/v1/trace/{requestId}',
    tag: 'store',
    summary: 'The steps that this process did of a request, in order; each process knows its own.',
    access: onStore('holdfast:GetTrace'),
    params: OfRequest,
    status: 200,
    answer: shapes.Trace,
    handle: async ({ ports, path }) => ({ events: ports.trace.find(path.requestId).map((event) => ({ ...event })) }),
  }),
  route({
    id: 'getDecision',
    method: 'GET',
    path: '/admin/v1/decisions/{requestId}',
    tag: 'store',
    summary: 'Who asked for what in a request that this process answered, and which statement decided.',
    access: onStore('holdfast:GetDecision'),
    params: OfRequest,
    status: 200,
    answer: shapes.ExplainedDecision,
    errors: ['NoSuchEntity'],
    async handle({ ports, path }) {
      const found = ports.decisions.find(path.requestId);
      if (found === undefined) throw new HoldfastError('NoSuchEntity', 'This process knows no such request any more.');
      return { ...found, checks: [...found.checks] };
    },
  }),
];
