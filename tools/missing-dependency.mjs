/** Thrown by a proof or a benchmark that cannot be run on this machine. The message says what to install or to set. */
export class MissingDependency extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = 'MissingDependency';
  }
}
