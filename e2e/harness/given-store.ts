/** A store that somebody else runs, of which only the endpoints are known. Tests that would touch its processes are not for it. */
import { TestedStore, type Credentials } from './tested-store.js';

export class GivenStore extends TestedStore {
  constructor(
    readonly endpoint: string,
    readonly admin: string,
    readonly root: Credentials,
  ) {
    super();
  }

  private refuse(): never {
    throw new Error(`the processes behind ${this.endpoint} are not run by these tests`);
  }

  async control(): Promise<never> {
    return this.refuse();
  }

  async trace(): Promise<never> {
    return this.refuse();
  }

  async members(): Promise<never> {
    return this.refuse();
  }

  async kill(): Promise<never> {
    return this.refuse();
  }

  async stop(): Promise<never> {
    return this.refuse();
  }

  async launch(): Promise<never> {
    return this.refuse();
  }

  async remove(): Promise<void> {}
}
