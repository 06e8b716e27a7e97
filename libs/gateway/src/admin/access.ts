import type { ConditionKeys } from '@holdfast/contracts';

type Parameters = Readonly<Record<string, string>>;

/** What a route asks for. Resources are built from the path, and for what is to be made from its name in the body. */
export interface RouteAccess {
  readonly action: string;
  resource(parameters: Parameters): string;
  /** Condition keys that the path gives. */
  keys?(parameters: Parameters): ConditionKeys;
  /** Only the root of an account: a user who may create keys must not create those of its root. */
  readonly rootOnly?: boolean;
}

export const ROUTE_ACCESS = 'holdfast:route-access';

/** On the store as a whole. */
export const onStore = (action: string): RouteAccess => ({ action, resource: () => 'arn:aws:holdfast:::store' });
/** On one account: what is in it, not its users. */
export const onAccount = (action: string): RouteAccess => ({
  action,
  resource: ({ accountId }) => `arn:aws:holdfast::${accountId}:account`,
});
export const onBucket = (action: string): RouteAccess => ({
  action,
  resource: ({ accountId, bucketName }) => `arn:aws:holdfast::${accountId}:bucket/${bucketName}`,
});
/** On the identities of one account, as a list. */
export const onIdentities = (action: string): RouteAccess => ({
  action,
  resource: ({ accountId }) => `arn:aws:iam::${accountId}:root`,
});
/** On the keys of an account's root. */
export const onRootKeys = (action: string): RouteAccess => ({ ...onIdentities(action), rootOnly: true });

/** On one entity of an account; `*` where the request does not name one. */
const onEntity =
  (kind: string, parameter: string) =>
  (action: string): RouteAccess => ({
    action,
    resource: (parameters) => `arn:aws:iam::${parameters.accountId}:${kind}/${parameters[parameter] ?? '*'}`,
  });
export const onUser = onEntity('user', 'userName');
export const onGroup = onEntity('group', 'groupName');
export const onPolicy = onEntity('policy', 'policyName');

/** A change of whom a managed policy speaks for: `iam:PolicyARN` says which. */
export const withPolicyArn = (access: RouteAccess): RouteAccess => ({
  ...access,
  keys: ({ accountId, policyName }) => ({ 'iam:policyarn': [`arn:aws:iam::${accountId}:policy/${policyName}`] }),
});
