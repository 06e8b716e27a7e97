/** What was asked and how it ended, per operation and status: the numbers behind `/metrics`. */
export class RequestMetrics {
  private readonly counts = new Map<string, OperationCounts>();
  private inflight = 0;

  begin(): void {
    this.inflight += 1;
  }

  /** @param operation name of the table row, or a word for what was no operation */
  end(operation: string, status: number, receivedBytes: number, sentBytes: number, elapsedMs: number): void {
    this.inflight -= 1;
    let counts = this.counts.get(operation);
    if (counts === undefined) {
      counts = { byStatus: new Map(), receivedBytes: 0, sentBytes: 0, elapsedMs: 0 };
      this.counts.set(operation, counts);
    }
    counts.byStatus.set(status, (counts.byStatus.get(status) ?? 0) + 1);
    counts.receivedBytes += receivedBytes;
    counts.sentBytes += sentBytes;
    counts.elapsedMs += elapsedMs;
  }

  get inflightCount(): number {
    return this.inflight;
  }

  /** In the text format of Prometheus. */
  render(): string {
    const lines = ['# TYPE holdfast_s3_requests_total counter'];
    for (const [operation, { byStatus }] of this.counts) {
      for (const [status, count] of byStatus) {
        lines.push(`holdfast_s3_requests_total{operation="${operation}",status="${status}"} ${count}`);
      }
    }
    const sums: readonly (readonly [string, (counts: OperationCounts) => number])[] = [
      ['holdfast_s3_received_bytes_total', ({ receivedBytes }) => receivedBytes],
      ['holdfast_s3_sent_bytes_total', ({ sentBytes }) => sentBytes],
      ['holdfast_s3_request_seconds_total', ({ elapsedMs }) => elapsedMs / 1000],
    ];
    for (const [name, valueOf] of sums) {
      lines.push(`# TYPE ${name} counter`);
      for (const [operation, counts] of this.counts) lines.push(`${name}{operation="${operation}"} ${valueOf(counts)}`);
    }
    lines.push('# TYPE holdfast_s3_inflight gauge', `holdfast_s3_inflight ${this.inflight}`);
    return `${lines.join('\n')}\n`;
  }
}

interface OperationCounts {
  readonly byStatus: Map<number, number>;
  receivedBytes: number;
  sentBytes: number;
  elapsedMs: number;
}
