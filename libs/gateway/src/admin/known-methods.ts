import type { NextFunction, Request, Response } from 'express';
import type { AdminRoute } from './route.js';
import { sendProblem } from './problem-filter.js';

/** Answers 405 with the methods that there are, where a path is known and the method is not. */
export function refuseUnknownMethods(
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
    if (methods.length === 0 || methods.includes(request.method)) return next();
    response.setHeader('Allow', [...new Set(methods)].join(', '));
    sendProblem(response, { status: 405, title: 'MethodNotAllowed', detail: 'The path has no such method.' });
  };
}
