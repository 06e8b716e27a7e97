/** What a service needs before it takes work. `live` is the process itself: it is live while it answers. */
export class HealthState {
  private readonly checks = new Map<string, () => boolean | Promise<boolean>>();
  private draining = false;

  /** `check` answers quickly; throwing means not ready. */
  require(name: string, check: () => boolean | Promise<boolean>): void {
    this.checks.set(name, check);
  }

  /** From now on not ready: nothing new is to be sent here, what is under way finishes. */
  drain(): void {
    this.draining = true;
  }

  /** Names of what is missing; empty when ready. */
  async missing(): Promise<string[]> {
    if (this.draining) return ['draining'];
    const results = await Promise.all(
      [...this.checks].map(async ([name, check]) => {
        try {
          return (await check()) ? undefined : name;
        } catch {
          return name;
        }
      }),
    );
    return results.filter((name) => name !== undefined);
  }
}
