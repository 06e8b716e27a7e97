import { HoldfastError, type CallContext, type Proof } from '@holdfast/contracts';
import { ANONYMOUS, type Principal } from './domain/principal.js';
import type { SealingKey } from './domain/sealing.js';
import { matchesSignatureV2, SignatureChecker } from './domain/signature.js';
import type { TokenClaims } from './domain/token-claims.js';
import type { KeyHolder, PrincipalDirectory } from './principal-directory.js';
import type { KeyUses } from './key-uses.js';
import type { SessionTokens } from './sessions/session-token.js';
import type { TokenCodec } from './tokens/token-codec.js';

export interface VerifiedProof {
  readonly principal: Principal;
  /** The day's signing key, for a signature that asked for it. */
  readonly signingKey?: Buffer;
}

type SignatureProof = Extract<Proof, { kind: 'signature-v4' }>;
type SignatureV2Proof = Extract<Proof, { kind: 'signature-v2' }>;

/** Turns a proof into the principal it proves. Errors: those of `authorize` in the port. */
export class ProofVerifier {
  private readonly signatures = new SignatureChecker();
  constructor(
    private readonly directory: PrincipalDirectory,
    private readonly tokens: TokenCodec,
    private readonly sealing: SealingKey,
    private readonly sessions: SessionTokens,
    private readonly uses: KeyUses,
  ) {}

  verify(call: CallContext, proof: Proof): Promise<VerifiedProof> {
    switch (proof.kind) {
      case 'signature-v4':
        return this.verifySignature(call, proof);
      case 'signature-v2':
        return this.verifySignatureV2(call, proof);
      case 'bearer':
        return this.verifyBearer(call, proof.token);
      case 'anonymous':
        return Promise.resolve({ principal: ANONYMOUS });
    }
  }

  private async verifyBearer(call: CallContext, token: string): Promise<VerifiedProof> {
    return { principal: await withinDeadline(call, this.verifyToken(token)) };
  }

  private async verifySignature(call: CallContext, proof: SignatureProof): Promise<VerifiedProof> {
    const { accessKeyId, wantsSigningKey, sessionToken } = proof;
    if (sessionToken !== undefined) return this.verifySession(call, proof, sessionToken);
    const { principal, secret } = this.directory.peekKey(accessKeyId) ?? (await this.holderOf(call, accessKeyId));
    const signingKey = this.signatures.check(accessKeyId, secret, proof);
    if (signingKey === undefined) throw new HoldfastError('SignatureDoesNotMatch');
    this.uses.note(accessKeyId);
    return wantsSigningKey ? { principal, signingKey } : { principal };
  }

  /** Temporary keys: their token says what they are, and what it was issued for must stand. */
  private async verifySession(call: CallContext, proof: SignatureProof, token: string): Promise<VerifiedProof> {
    const session = this.sessions.open(token, proof.accessKeyId);
    const signingKey = this.signatures.check(session.accessKeyId, session.secret, proof);
    if (signingKey === undefined) throw new HoldfastError('SignatureDoesNotMatch');
    const principal = await withinDeadline(call, this.principalOfClaims(session.claims));
    if (principal === undefined) throw new HoldfastError('InvalidAccessKeyId');
    return proof.wantsSigningKey ? { principal, signingKey } : { principal };
  }

  private async verifySignatureV2(call: CallContext, proof: SignatureV2Proof): Promise<VerifiedProof> {
    const { accessKeyId, stringToSign, signature } = proof;
    const { principal, secret } = this.directory.peekKey(accessKeyId) ?? (await this.holderOf(call, accessKeyId));
    if (!matchesSignatureV2(secret, stringToSign, signature)) throw new HoldfastError('SignatureDoesNotMatch');
    this.uses.note(accessKeyId);
    return { principal };
  }

  private async holderOf(call: CallContext, accessKeyId: string): Promise<KeyHolder> {
    const holder = await withinDeadline(call, this.directory.findKey(accessKeyId));
    if (holder === undefined) throw new HoldfastError('InvalidAccessKeyId');
    return holder;
  }

  private async verifyToken(token: string): Promise<Principal> {
    const principal = await this.principalOfClaims(await this.tokens.verify(token));
    if (principal === undefined) {
      throw new HoldfastError('InvalidToken', 'What the token was issued for exists no longer.');
    }
    return principal;
  }

  /** Undefined when what the claims were issued for exists no longer. */
  private async principalOfClaims(claims: TokenClaims): Promise<Principal | undefined> {
    const principal = await this.principalOfToken(claims);
    // The names could be those of a later user: the user's id could not.
    if (principal?.caller.accountId !== claims.accountId || principal.userId !== claims.userId) return undefined;
    return claims.session === undefined ? principal : this.directory.inSession(principal, claims.session);
  }

  private async principalOfToken({ accountId, userName, credential }: TokenClaims): Promise<Principal | undefined> {
    switch (credential.kind) {
      case 'password':
        return this.directory.findUser(accountId, userName);
      case 'access-key':
        return (await this.directory.findKey(credential.accessKeyId))?.principal;
      case 'root': {
        const { root } = this.directory;
        return credential.fingerprint === rootFingerprint(this.sealing, root) ? root.principal : undefined;
      }
    }
  }
}

/** Names the environment's root credentials in a token. */
export function rootFingerprint(sealing: SealingKey, root: { accessKeyId: string; secret: string }): string {
  return sealing.fingerprint(`${root.accessKeyId}\n${root.secret}`);
}

/** Ends the wait, not the work: others may be waiting for the same record. Errors: ServiceUnavailable. */
export async function withinDeadline<T>(call: CallContext, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new HoldfastError('ServiceUnavailable', 'The identity database did not answer in time.');
    timer = setTimeout(() => reject(error), call.deadline.leftMs());
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
