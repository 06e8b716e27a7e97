import { SetMetadata } from '@nestjs/common';

/** What a route asks for. Resources are built from the path alone. */
export interface RouteAccess {
  readonly action: string;
  resource(parameters: Readonly<Record<string, string>>): string;
  /** Only the root of an account: a user who may create keys must not create those of its root. */
  readonly rootOnly: boolean;
}

export const ROUTE_ACCESS = 'holdfast:route-access';

/** Open to everybody. A route that says neither this nor what it asks for is refused to all. */
export const Public = (): MethodDecorator => SetMetadata(ROUTE_ACCESS, 'public');

const requires = (action: string, resource: RouteAccess['resource'], rootOnly = false): MethodDecorator =>
  SetMetadata(ROUTE_ACCESS, { action, resource, rootOnly } satisfies RouteAccess);

/** On the store as a whole. */
export const OnStore = (action: string): MethodDecorator => requires(action, () => 'arn:aws:holdfast:::store');
/** On one account. */
export const OnAccount = (action: string): MethodDecorator =>
  requires(action, ({ accountId }) => `arn:aws:iam::${accountId}:root`);
/** On the keys of an account's root. */
export const OnAccountRoot = (action: string): MethodDecorator =>
  requires(action, ({ accountId }) => `arn:aws:iam::${accountId}:root`, true);
/** On a user of an account. */
export const OnUser = (action: string): MethodDecorator =>
  requires(action, ({ accountId, userName }) => `arn:aws:iam::${accountId}:user/${userName ?? '*'}`);
