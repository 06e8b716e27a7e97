import passport from 'passport';
import type { Request } from 'express';
import { HoldfastError, type Caller, type Identity } from '@holdfast/contracts';
import { adminCall } from '../admin-call.js';

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]{1,16384}=*)$/i;

/** passport's strategy for our tokens: the identity service, which issued them, verifies them. */
export class BearerStrategy extends passport.Strategy {
  override readonly name = 'holdfast-bearer';

  constructor(private readonly identity: Identity) {
    super();
  }

  override authenticate(request: Request): void {
    const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) return this.error(new HoldfastError('InvalidToken', 'A bearer token is needed.'));
    this.identity.authorize(adminCall(), { proof: { kind: 'bearer', token }, checks: [] }).then(
      ({ caller }) => this.success(caller),
      (error: Error) => this.error(error),
    );
  }
}

/** Runs the strategy for one request, in an instance of passport that belongs to this application alone. */
export function bearerAuthentication(identity: Identity): (request: Request) => Promise<Caller> {
  const instance = new passport.Passport();
  const strategy = new BearerStrategy(identity);
  instance.use(strategy.name, strategy);
  return (request) =>
    new Promise((resolve, reject) => {
      const done = (error: unknown, caller: unknown): void => {
        if (error) reject(error);
        else if (caller) resolve(caller as Caller);
        else reject(new HoldfastError('InvalidToken'));
      };
      instance.authenticate(strategy.name, { session: false }, done)(request, request.res, reject);
    });
}
