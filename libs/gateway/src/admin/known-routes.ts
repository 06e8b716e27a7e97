import type { NextFunction, Request, Response } from 'express';
import type { AdminRoute } from './route.js';
import { FRAMEWORK_REFUSALS, sendProblem } from './problem-filter.js';

/**
 * Answers 404 where no path of the document is spelled so (the router would take any case, and whoever stands in front and
 * refuses some paths would be passed), and 405 with the methods that there are.
 */
export function refuseUnknownRoutes(
  routes: readonly Pick<AdminRoute, 'method' | 'path'>[],
): (request: Request, response: Response, next: NextFunction) => void {
  const known = new Map<string, { pattern: RegExp; methods: Set<string> }>();
  for (const { path, method } of routes) {
    const pattern = new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`);
    const entry = known.get(path) ?? { pattern, methods: new Set<string>() };
    entry.methods.add(method);
    if (method === 'GET') entry.methods.add('HEAD');
    known.set(path, entry);
  }
  return (request, response, next) => {
    const entries = [...known.values()].filter(({ pattern }) => pattern.test(request.path));
    const methods = entries.flatMap((entry) => [...entry.methods]);
    if (methods.length === 0) return sendProblem(response, { status: 404, ...FRAMEWORK_REFUSALS[404] });
    if (methods.includes(request.method)) return next();
    response.setHeader('Allow', [...new Set(methods)].join(', '));
    sendProblem(response, { status: 405, ...FRAMEWORK_REFUSALS[405] });
  };
}
