import { createHash } from 'node:crypto';
import { InvariantViolation } from '@holdfast/stdx';
import {
  HoldfastError,
  type CallContext,
  type Caller,
  type Identity,
  type IdentityAdministration,
} from '@holdfast/contracts';
import { log } from '@holdfast/service-host';
import { parseInput } from '../admin/parse-input.js';
import type { Authenticator } from '../pipeline/authentication/authenticator.js';
import { requestKeys } from '../pipeline/condition-keys.js';
import type { BodySource } from '../pipeline/exchange.js';
import { xmlReply, type Reply, type ReplyHeaders } from '../pipeline/reply.js';
import type { S3Request } from '../pipeline/request.js';
import type { IamAction, Subject } from './iam-action.js';
import { IAM_ACTIONS } from './iam-actions.js';
import { encodeIamError, encodeIamResult } from './iam-document.js';
import { isQueryForm, parseQueryForm, readQueryForm } from './query-form.js';

const API_VERSION = '2010-05-08';
const SIGNED_FOR_IAM = /Credential=[^,\s]*\/iam\/aws4_request(?:[,\s]|$)/;
const POLICY_ARN = /^arn:aws:iam::(\d{12}):policy\/([A-Za-z0-9+=,.@_-]{1,128})$/;
/** Secrets are in some of them. */
const HEADERS: ReplyHeaders = ['Cache-Control', 'no-store'];

interface IamQueryParts {
  readonly identity: Identity;
  readonly administration: IdentityAdministration;
  readonly authenticator: Authenticator;
  /** The context of one call to identity. */
  callOf(requestId: string): CallContext;
}

/**
 * The part of IAM's own protocol that tools of S3 use: forms with an `Action`, signed for the service `iam`, on the endpoint
 * of S3. It changes the same users and keys as the admin REST, under the same permissions, in the caller's own account.
 */
export class IamQuery {
  constructor(private readonly parts: IamQueryParts) {}

  /** No operation of S3 looks so, and none takes a signature for another service. */
  isFor({ method, target, headers }: S3Request): boolean {
    if (method !== 'POST' || target.rawPath !== '/' || target.bucket !== undefined || !isQueryForm(headers))
      return false;
    return SIGNED_FOR_IAM.test(headers.get('authorization') ?? '');
  }

  /** Errors are answers too. Throws broken invariants alone. */
  async answer(request: S3Request, body: BodySource): Promise<Reply> {
    const { requestId } = request;
    try {
      return xmlReply(await this.run(request, body), 200, HEADERS);
    } catch (error) {
      if (error instanceof InvariantViolation) throw error;
      const refusal = encodeIamError(error, requestId);
      if (refusal.status >= 500 && refusal.status !== 501) log.error('an IAM request failed', { requestId, error });
      return xmlReply(refusal.body, refusal.status, HEADERS);
    }
  }

  /** The whole path of a request, in the order in which it happens. */
  private async run(request: S3Request, body: BodySource): Promise<string> {
    const { identity, administration, authenticator, callOf } = this.parts;
    const call = callOf(request.requestId);
    const form = await readQueryForm(body, request.headers);
    const proof = authenticator.proofOfQuery(request, 'iam', digestOf(form, request));
    const { caller } = await identity.authorize(call, { proof, checks: [] });

    const { Action = '', Version, ...given } = Object.fromEntries(parseQueryForm(form));
    const action = actionOf(Action, Version);
    const input = parseParameters(action, given);
    const subject = subjectOf(caller, input);
    await this.allow(call, request, caller, action, subject);
    const result = await action.handle({ administration, call, caller, subject, input });
    return encodeIamResult(action.name, request.requestId, result);
  }

  /** @throws HoldfastError AccessDenied */
  private async allow(
    call: CallContext,
    request: S3Request,
    caller: Caller,
    action: IamAction,
    subject: Subject,
  ): Promise<void> {
    const { action: permission, resource, keys, rootOnly } = action.access(subject);
    const names = { ...subject };
    const keysOfCheck = keys === undefined ? {} : { keys: keys(names) };
    const check = { action: permission, resource: resource(names), ...keysOfCheck };
    const context = requestKeys(request);
    const { decisions } = await this.parts.identity.decide(call, { caller, checks: [check], context });
    if (decisions[0] === 'allow' && (rootOnly !== true || caller.kind === 'root')) return;
    throw new HoldfastError('AccessDenied', `${caller.arn} may not perform ${permission}.`);
  }
}

/** What has to have been signed. A header that says another digest was made for another body. */
function digestOf(form: Buffer, { headers }: S3Request): string {
  const digest = createHash('sha256').update(form).digest('hex');
  if ((headers.get('x-amz-content-sha256') ?? digest) !== digest) throw new HoldfastError('XAmzContentSHA256Mismatch');
  return digest;
}

/** @throws HoldfastError InvalidArgument, NotImplemented */
function actionOf(name: string, version: string | undefined): IamAction {
  if (name === '') throw new HoldfastError('InvalidArgument', 'The form names no Action.');
  if (version !== API_VERSION) throw new HoldfastError('InvalidArgument', `Version must be ${API_VERSION}.`);
  const action = IAM_ACTIONS.get(name);
  if (action === undefined) throw new HoldfastError('NotImplemented', `${name.slice(0, 128)} is not implemented.`);
  return action;
}

/** @throws HoldfastError InvalidArgument, NotImplemented (a parameter that would be ignored: a boundary, say) */
function parseParameters({ name, params }: IamAction, given: Record<string, string>): Record<string, unknown> {
  const unknown = Object.keys(given).find((parameter) => !Object.hasOwn(params.shape, parameter));
  if (unknown === undefined) return parseInput(params, given, 'body');
  throw new HoldfastError('NotImplemented', `The parameter ${unknown.slice(0, 128)} of ${name} is not implemented.`);
}

/** @throws HoldfastError NoSuchEntity (a managed policy that is not one of the caller's account) */
function subjectOf({ accountId, userName }: Caller, { UserName, PolicyArn }: Record<string, unknown>): Subject {
  const subject = { accountId, userName: typeof UserName === 'string' ? UserName : userName, policyName: '' };
  if (typeof PolicyArn !== 'string') return subject;
  const [, account, policyName] = POLICY_ARN.exec(PolicyArn) ?? [];
  if (account === accountId) return { ...subject, policyName };
  throw new HoldfastError('NoSuchEntity', 'The account has no such policy.');
}
