import { invalid } from './domain/entity-names.js';

/** Root of the first account, from the environment of the process; never stored. */
export interface RootCredentials {
  /** 3 to 128 letters, digits and +=,.@_-/ */
  readonly accessKeyId: string;
  /** 8 to 256 characters. */
  readonly secretAccessKey: string;
}

export interface IdentitySettings {
  /** How old the records of a key, a user or a policy may be that a request is judged by: 0 to 1000. */
  readonly principalLifetimeMs: number;
  readonly tokenLifetimeSeconds: number;
  readonly tokenIssuer: string;
  readonly tokenAudience: string;
  /** Wrong secrets for one name before all tries of it are refused until `loginWindowMs` after the first. */
  readonly loginFailuresMax: number;
  readonly loginWindowMs: number;
  readonly databaseConnectionsMax: number;
  /** For a connection and for each statement. */
  readonly databaseTimeoutMs: number;
}

const DEFAULTS: IdentitySettings = {
  principalLifetimeMs: 1_000,
  tokenLifetimeSeconds: 3_600,
  tokenIssuer: 'holdfast',
  tokenAudience: 'holdfast',
  loginFailuresMax: 10,
  loginWindowMs: 60_000,
  databaseConnectionsMax: 8,
  databaseTimeoutMs: 3_000,
};

const RANGES = {
  principalLifetimeMs: [0, 1_000],
  tokenLifetimeSeconds: [1, 7 * 24 * 3_600],
  loginFailuresMax: [1, 1_000],
  loginWindowMs: [1, 24 * 3_600_000],
  databaseConnectionsMax: [1, 100],
  databaseTimeoutMs: [10, 60_000],
} as const;

/** Errors: InvalidArgument, naming the setting. */
export function settingsFrom(given: Partial<IdentitySettings> = {}): IdentitySettings {
  const settings = { ...DEFAULTS, ...given };
  for (const name of Object.keys(RANGES) as (keyof typeof RANGES)[]) {
    const [min, max] = RANGES[name];
    const value = settings[name];
    if (!Number.isInteger(value) || value < min || value > max)
      throw invalid(name, `expected a whole number from ${min} to ${max}`);
  }
  return settings;
}

const ROOT_ACCESS_KEY_ID = /^[A-Za-z0-9+=,.@_/-]{3,128}$/;
const SECRET_LENGTHS = { min: 8, max: 256 };

/** The message names the variables that the service's processes read. Errors: InvalidArgument. */
export function checkRootCredentials({ accessKeyId, secretAccessKey }: RootCredentials): void {
  if (!ROOT_ACCESS_KEY_ID.test(accessKeyId)) {
    throw invalid('HOLDFAST_ROOT_USER', 'set it to 3 to 128 letters, digits and +=,.@_/-');
  }
  const { min, max } = SECRET_LENGTHS;
  if (secretAccessKey.length < min || secretAccessKey.length > max) {
    throw invalid('HOLDFAST_ROOT_PASSWORD', `set it to ${min} to ${max} characters`);
  }
}
