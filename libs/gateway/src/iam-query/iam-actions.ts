import { KEY_ACTIONS } from './actions/key-actions.js';
import { USER_ACTIONS } from './actions/user-actions.js';
import { USER_POLICY_ACTIONS } from './actions/user-policy-actions.js';
import type { IamAction } from './iam-action.js';

/** Every action that is built, by its name; all others answer 501. */
export const IAM_ACTIONS: ReadonlyMap<string, IamAction> = new Map(
  [...USER_ACTIONS, ...KEY_ACTIONS, ...USER_POLICY_ACTIONS].map((action) => [action.name, action]),
);
