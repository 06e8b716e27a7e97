import type { z } from 'zod';
import type { SessionRequest } from '@holdfast/contracts';
import { onStore } from '../access.js';
import { policyTextOf } from '../policy-text.js';
import { route, type AdminRoute } from '../route.js';
import * as shapes from '../schemas.js';

/** Of a session that is only given a policy or a duration. */
const SESSION_NAME = 'session';
const SESSION_SECONDS = 3_600;
/** What the identity port takes. */
const SESSION_POLICY_CHARACTERS_MAX = 2_048;

export const TOKEN_ROUTES: readonly AdminRoute[] = [
  route({
    id: 'issueToken',
    method: 'POST',
    path: '/auth/token',
    tag: 'tokens',
    summary: 'A bearer token for credentials, and with a session temporary keys. Refusals look alike for every reason.',
    access: 'public',
    body: shapes.Credentials,
    status: 200,
    answer: shapes.Token,
    noStore: true,
    errors: ['InvalidCredentials', 'MalformedPolicy'],
    async handle({ ports, call, body }) {
      const { sessionName, durationSeconds, sessionPolicy, ...credentials } = body;
      const session = sessionOf(sessionName, durationSeconds, sessionPolicy);
      const answer = await ports.identity.issueToken(
        call,
        'accessKeyId' in credentials
          ? { kind: 'access-key', ...credentials, ...session }
          : { kind: 'password', ...credentials, ...session },
      );
      const token = {
        access_token: answer.accessToken,
        token_type: 'Bearer' as const,
        expires_in: answer.expiresInSeconds,
      };
      if (answer.temporaryKey === undefined) return token;
      const { expiresAtMs, ...key } = answer.temporaryKey;
      return { ...token, credentials: { ...key, expiration: new Date(expiresAtMs).toISOString() } };
    },
  }),
  route({
    id: 'getKeySet',
    method: 'GET',
    path: '/.well-known/jwks.json',
    tag: 'tokens',
    summary: 'The public keys that verify tokens.',
    access: 'public',
    status: 200,
    answer: shapes.KeySet,
    handle: async ({ ports, call }) =>
      JSON.parse((await ports.identity.jwks(call, {})).json) as z.infer<typeof shapes.KeySet>,
  }),
  route({
    id: 'rotateTokenKey',
    method: 'POST',
    path: '/admin/v1/token-keys',
    tag: 'tokens',
    summary:
      'A new key signs tokens from now on. The others verify until what they signed has expired; with `endOthers` all other tokens end now.',
    access: onStore('holdfast:RotateTokenKey'),
    body: shapes.Rotation,
    status: 201,
    answer: shapes.RotatedKey,
    errors: ['LimitExceeded'],
    handle: ({ ports, call, body }) =>
      ports.administration.rotateTokenKey(call, { endOthers: body.endOthers ?? false }),
  }),
];

function sessionOf(
  name: string | undefined,
  durationSeconds: number | undefined,
  policy: Record<string, unknown> | undefined,
): { session?: SessionRequest } {
  if (name === undefined && durationSeconds === undefined && policy === undefined) return {};
  const session = { name: name ?? SESSION_NAME, durationSeconds: durationSeconds ?? SESSION_SECONDS };
  if (policy === undefined) return { session };
  return { session: { ...session, policy: policyTextOf(policy, SESSION_POLICY_CHARACTERS_MAX) } };
}
