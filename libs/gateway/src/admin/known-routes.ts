import type { NextFunction, Request, Response } from 'express';
import type { AdminRoute } from './route.js';
import { refuse } from './problem-filter.js';

/**
 * Answers 404 where no path of the document is spelled so, and 405 with the methods that there are. The router would take any
 * case and a slash at the end: whoever stands in front and refuses some paths would be passed, and `DELETE …/policies/..`,
 * which clients shorten to `DELETE …/`, would be of the policy's holder.
 */
export function refuseUnknownRoutes(
  routes: readonly Pick<AdminRoute, 'method' | 'path'>[],
): (request: Request, response: Response, next: NextFunction) => void {
  const known = new Map<string, { pattern: RegExp; methods: Set<string> }>();
  for (const { path, method } of routes) {
    const pattern = new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
    const entry = known.get(path) ?? { pattern, methods: new Set<string>() };
    entry.methods.add(method);
    if (method === 'GET') entry.methods.add('HEAD');
    known.set(path, entry);
  }
  return (request, response, next) => {
    const entries = [...known.values()].filter(({ pattern }) => pattern.test(request.path));
    const methods = entries.flatMap((entry) => [...entry.methods]);
    if (methods.length === 0) return refuse(response, 404);
    if (methods.includes(request.method)) return next();
    response.setHeader('Allow', [...new Set(methods)].join(', '));
    refuse(response, 405);
  };
}
