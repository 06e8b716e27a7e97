import { Controller, Get, Header, Inject, Param } from '@nestjs/common';
import { z } from 'zod';
import { HoldfastError, type TraceEvent } from '@holdfast/contracts';
import { OnStore, Public } from './access.js';
import { adminCall } from './admin-call.js';
import { ADMIN_PORTS, type AdminPorts } from './admin-ports.js';
import { ZodPipe } from './zod-pipe.js';

const RequestIdSchema = z.string().regex(/^[0-9A-F]{16}$/, 'must be 16 upper-case hexadecimal digits');

@Controller()
export class StoreController {
  constructor(@Inject(ADMIN_PORTS) private readonly ports: AdminPorts) {}

  @Public()
  @Get('health/live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Public()
  @Get('health/ready')
  async ready(): Promise<{ status: 'ok' }> {
    const ready = (await this.ports.isReady?.().catch(() => false)) ?? true;
    if (!ready) throw new HoldfastError('ServiceUnavailable');
    return { status: 'ok' };
  }

  /** In the text format of Prometheus. */
  @OnStore('holdfast:GetMetrics')
  @Get('metrics')
  @Header('Content-Type', 'text/plain; version=0.0.4')
  async metrics(): Promise<string> {
    const { outbox, oldestReplicateMs, objects, bytes } = await this.ports.metadata.status(adminCall(), {});
    const lines = ['# TYPE holdfast_outbox_rows gauge'];
    for (const kind of Object.keys(outbox)) lines.push(`holdfast_outbox_rows{kind="${kind}"} ${outbox[kind]}`);
    const gauges = { replication_lag_seconds: oldestReplicateMs / 1000, objects, object_bytes: bytes };
    for (const [name, value] of Object.entries(gauges)) {
      lines.push(`# TYPE holdfast_${name} gauge`, `holdfast_${name} ${value}`);
    }
    return `${this.ports.metrics.render()}${lines.join('\n')}\n`;
  }

  @OnStore('holdfast:GetStatus')
  @Get('admin/v1/status')
  async status(): Promise<object> {
    const { epoch, outbox, ...counts } = await this.ports.metadata.status(adminCall(), {});
    return { ...counts, epoch: epoch.toString(), outbox, repairsOwed: outbox['repair'] ?? 0 };
  }

  /** The steps that this process did of a request, in order; each process knows its own. */
  @OnStore('holdfast:GetTrace')
  @Get('admin/v1/trace/:requestId')
  trace(@Param('requestId', new ZodPipe(RequestIdSchema)) requestId: string): { events: TraceEvent[] } {
    return { events: this.ports.trace.find(requestId) };
  }
}
