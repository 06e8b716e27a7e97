import {
  HoldfastError,
  Identity,
  type AccessCheck,
  type Account,
  type AuthorizationAnswer,
  type CallContext,
  type Decision,
  type IdentityMethods,
  type TraceLog,
} from '@holdfast/contracts';
import { systemClock, type Clock } from '@holdfast/stdx';
import { refuseKey, type Bootstrap } from './bootstrap/bootstrap-file.js';
import { FailureLimiter } from './domain/failure-limiter.js';
import { PasswordHasher } from './domain/password-hash.js';
import { judgeInTurns } from './domain/principal.js';
import { SealingKey } from './domain/sealing.js';
import { IdentityAdministrationService } from './identity-administration.service.js';
import {
  checkRootCredentials,
  settingsFrom,
  type IdentitySettings,
  type RootCredentials,
} from './identity-settings.js';
import { KeyUses } from './key-uses.js';
import { PrincipalDirectory } from './principal-directory.js';
import { ProofVerifier, withinDeadline } from './proof-verifier.js';
import { SessionTokens } from './sessions/session-token.js';
import { BootstrapStore } from './sql/bootstrap-store.js';
import { IdentityDatabase } from './sql/identity-database.js';
import { IdentityStore } from './sql/identity-store.js';
import { TokenKeyStore } from './sql/token-key-store.js';
import { TokenCodec } from './tokens/token-codec.js';
import { TokenIssuer } from './tokens/token-issuer.js';
import { TokenKeyRing } from './tokens/token-key-ring.js';

export interface IdentityOptions {
  readonly databaseUrl: string;
  /** At least 32 bytes, the same at every start and in every instance; lies in neither Postgres nor on a device. */
  readonly clusterSecret: Buffer;
  readonly rootCredentials: RootCredentials;
  readonly trace: TraceLog;
  readonly clock?: Clock;
  readonly settings?: Partial<IdentitySettings>;
  /** Accounts and users to be there from the start. */
  readonly bootstrap?: Bootstrap;
}

/** Step 4 of each of the seed's flows is the answer of IAM. */
const ANSWER_STEP = 4;
/** As the port allows. */
const SESSION_SECONDS_MAX = 43_200;
/** For clocks of instances that differ. */
const TOKEN_SLACK_SECONDS = 60;
const FIRST_ACCOUNT_NAME = 'root';
const TRACED_CHECKS_MAX = 4;

type In<M extends keyof IdentityMethods> = Parameters<IdentityMethods[M]>[1];
type Out<M extends keyof IdentityMethods> = ReturnType<IdentityMethods[M]>;

interface Parts {
  readonly database: IdentityDatabase;
  readonly store: IdentityStore;
  readonly directory: PrincipalDirectory;
  readonly keys: TokenKeyRing;
  readonly proofs: ProofVerifier;
  readonly issuer: TokenIssuer;
  readonly administration: IdentityAdministrationService;
  readonly trace: TraceLog;
}

/** The identity port over Postgres. `open` makes one, `close` ends it. */
export class IdentityService extends Identity {
  private constructor(private readonly parts: Parts) {
    super();
  }

  /**
   * Prepares the schema, the first account and the first token key where they are missing. Errors: InvalidArgument
   * (settings, bootstrap), ServiceUnavailable (no database), InternalError (another cluster secret than that of the database).
   */
  static async open(options: IdentityOptions): Promise<IdentityService> {
    const { databaseUrl, rootCredentials, trace, bootstrap, clock = systemClock } = options;
    checkRootCredentials(rootCredentials);
    if (bootstrap !== undefined) refuseKey(bootstrap, rootCredentials.accessKeyId);
    const settings = settingsFrom(options.settings);
    const sealing = new SealingKey(options.clusterSecret);
    const { databaseConnectionsMax: connectionsMax, databaseTimeoutMs: timeoutMs } = settings;
    const database = new IdentityDatabase({ databaseUrl, connectionsMax, timeoutMs });
    try {
      const store = new IdentityStore(database);
      const lifetimeMs = settings.principalLifetimeMs;
      const keys = new TokenKeyRing(
        new TokenKeyStore(database),
        sealing,
        clock,
        lifetimeMs,
        Math.max(settings.tokenLifetimeSeconds, SESSION_SECONDS_MAX) + TOKEN_SLACK_SECONDS,
      );
      let firstAccount: Account | undefined;
      await database.prepare(async () => {
        firstAccount = await store.ensureFirstAccount(FIRST_ACCOUNT_NAME);
        await keys.prepare();
        if (bootstrap !== undefined) await new BootstrapStore(database, sealing, bootstrap).apply();
      });
      if (firstAccount === undefined) throw new HoldfastError('InternalError', 'The first account was not prepared.');
      const directory = new PrincipalDirectory({ store, sealing, clock, lifetimeMs, firstAccount, rootCredentials });
      const passwords = new PasswordHasher();
      const tokens = new TokenCodec(keys, clock, {
        issuer: settings.tokenIssuer,
        audience: settings.tokenAudience,
        lifetimeSeconds: settings.tokenLifetimeSeconds,
        rememberMs: lifetimeMs,
      });
      const sessions = new SessionTokens(sealing, clock);
      const uses = new KeyUses(clock, (accessKeyId) => store.noteKeyUse(accessKeyId));
      const failures = () => new FailureLimiter(clock, settings.loginFailuresMax, settings.loginWindowMs);
      return new IdentityService({
        database,
        store,
        directory,
        keys,
        proofs: new ProofVerifier(directory, tokens, sealing, sessions, uses),
        issuer: new TokenIssuer({
          ...{ directory, store, sealing, tokens, passwords, sessions },
          keyFailures: failures(),
          passwordFailures: failures(),
        }),
        administration: new IdentityAdministrationService({ database, directory, sealing, passwords, keys }),
        trace,
      });
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** The port that changes accounts and what belongs to them, over the same database. */
  get administration(): IdentityAdministrationService {
    return this.parts.administration;
  }

  /** Whether the database answers: for readiness. Errors: ServiceUnavailable. */
  async checkDatabase(): Promise<void> {
    await this.parts.database.query('SELECT 1');
  }

  /** Ends the connections after the statements that run. */
  async close(): Promise<void> {
    await this.parts.database.close();
  }

  override async authorize(call: CallContext, request: In<'authorize'>): Out<'authorize'> {
    const { proofs, trace } = this.parts;
    try {
      const { principal, signingKey } = await proofs.verify(call, request.proof);
      const verdicts = await judgeInTurns(principal, request.checks, request.context, call.deadline);
      const decisions = verdicts.map(({ decision }) => decision);
      const reasons = verdicts.map(({ reason }) => reason);
      if (call.flow !== undefined) trace.step(call, ANSWER_STEP, decisionDetail(decisions, request.checks));
      const answer: AuthorizationAnswer = { caller: principal.caller, decisions, reasons };
      return signingKey === undefined ? answer : { ...answer, signingKey };
    } catch (error) {
      trace.step(call, ANSWER_STEP, error instanceof HoldfastError ? error.code : 'InternalError');
      throw error;
    }
  }

  override async decide(call: CallContext, { caller, checks, context }: In<'decide'>): Out<'decide'> {
    const principal = await withinDeadline(call, this.parts.directory.principalOf(caller));
    if (principal === undefined) {
      return { decisions: checks.map(() => 'no-allow'), reasons: checks.map(() => ({ layer: 'none' })) };
    }
    const verdicts = await judgeInTurns(principal, checks, context, call.deadline);
    return { decisions: verdicts.map(({ decision }) => decision), reasons: verdicts.map(({ reason }) => reason) };
  }

  override async issueToken(_call: CallContext, credentials: In<'issueToken'>): Out<'issueToken'> {
    return this.parts.issuer.issue(credentials);
  }

  override async jwks(): Out<'jwks'> {
    const keys = await this.parts.keys.all();
    return { json: JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) }) };
  }

  override async describeAccounts(call: CallContext, { accountIds }: In<'describeAccounts'>): Out<'describeAccounts'> {
    const found = Promise.all([...new Set(accountIds)].map((id) => this.parts.directory.findAccount(id)));
    return { accounts: (await withinDeadline(call, found)).filter((account) => account !== undefined) };
  }
}

/** `allow s3:PutObject`; of many checks the first few. */
function decisionDetail(decisions: readonly Decision[], checks: readonly AccessCheck[]): string {
  const shown = decisions.slice(0, TRACED_CHECKS_MAX).map((decision, index) => `${decision} ${checks[index].action}`);
  const hidden = decisions.length - shown.length;
  return shown.join(', ') + (hidden > 0 ? ` and ${hidden} more` : '');
}
