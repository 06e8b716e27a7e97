import type { AdminRoute } from './route.js';
import { ACCOUNT_ROUTES } from './routes/account-routes.js';
import { BUCKET_ROUTES } from './routes/bucket-routes.js';
import { GROUP_ROUTES } from './routes/group-routes.js';
import { HOLDER_ROUTES } from './routes/holder-routes.js';
import { POLICY_ROUTES } from './routes/policy-routes.js';
import { STORE_ROUTES } from './routes/store-routes.js';
import { TOKEN_ROUTES } from './routes/token-routes.js';
import { USER_ROUTES } from './routes/user-routes.js';

/** Everything that the admin port serves, beside its own description. */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  ...TOKEN_ROUTES,
  ...STORE_ROUTES,
  ...ACCOUNT_ROUTES,
  ...USER_ROUTES,
  ...GROUP_ROUTES,
  ...HOLDER_ROUTES,
  ...POLICY_ROUTES,
  ...BUCKET_ROUTES,
];
