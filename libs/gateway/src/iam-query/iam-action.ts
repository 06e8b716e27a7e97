import { z } from 'zod';
import type { CallContext, Caller, IdentityAdministration } from '@holdfast/contracts';
import type { XmlNode } from '@holdfast/s3-protocol';
import type { RouteAccess } from '../admin/access.js';
import { policyName, userName } from '../admin/schemas.js';

/** Whom an action is about: names in the caller's own account. */
export interface Subject {
  readonly accountId: string;
  /** Empty for the root of the account. */
  readonly userName: string;
  /** Of the managed policy that is attached or detached, empty otherwise. */
  readonly policyName: string;
}

/** What a handler is given. */
export interface ActionInput<P> {
  readonly administration: IdentityAdministration;
  readonly call: CallContext;
  readonly caller: Caller;
  readonly subject: Subject;
  readonly input: P;
}

interface ActionDefinition<P extends z.ZodObject> {
  /** IAM's name of it. */
  readonly name: string;
  /** Its parameters. One that is not here is not built: it is refused, never ignored. */
  readonly params: P;
  /** The permission it needs, as in the admin REST. */
  access(subject: Subject): RouteAccess;
  /** What stands in the result element; nothing for an action that has none. */
  handle(input: ActionInput<z.infer<P>>): Promise<readonly (XmlNode | undefined)[] | undefined>;
}

/** One action as data. */
export interface IamAction extends Omit<ActionDefinition<z.ZodObject>, 'handle'> {
  handle(input: ActionInput<unknown>): Promise<readonly (XmlNode | undefined)[] | undefined>;
}

/** The types of a definition hold its handler to its parameters; whoever calls it has parsed by them. */
export function iamAction<P extends z.ZodObject>(definition: ActionDefinition<P>): IamAction {
  return definition as unknown as IamAction;
}

const ITEMS_DEFAULT = 100;

/** Parameters that several actions take. */
export const OF_USER = { UserName: userName };
/** Without a name: the caller. */
export const OF_USER_OR_CALLER = { UserName: userName.optional() };
export const OF_POLICY = { PolicyName: policyName };
export const OF_LIST = {
  Marker: z.string().min(1).max(256).optional(),
  MaxItems: z
    .string()
    .regex(/^(?:[1-9]\d{0,2}|1000)$/, 'must be 1 to 1000')
    .transform(Number)
    .default(ITEMS_DEFAULT),
};

/** Of a list, what the port is asked for. */
export const pageOf = ({ Marker, MaxItems }: { Marker?: string; MaxItems: number }) => ({
  limit: MaxItems,
  ...(Marker === undefined ? {} : { after: Marker }),
});
