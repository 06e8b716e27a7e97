/** How a service ended. `requested` is true when stop() ended it; false means it died by itself. */
export interface ServiceExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly requested: boolean;
}
