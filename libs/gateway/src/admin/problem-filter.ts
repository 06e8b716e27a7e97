import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { HoldfastError } from '@holdfast/contracts';
import { toClientError } from '@holdfast/s3-protocol';
import { log } from '@holdfast/service-host';

/** S3 says 503 to who asks too often; HTTP has a status of its own for it. */
export const TOO_MANY_REQUESTS = 429;

/** What the framework and the reading of a body refuse by themselves, by status. */
export const FRAMEWORK_REFUSALS: Readonly<Record<number, { readonly title: string; readonly detail: string }>> = {
  400: { title: 'InvalidRequest', detail: 'The request is malformed.' },
  404: { title: 'NotFound', detail: 'There is nothing at this path.' },
  405: { title: 'MethodNotAllowed', detail: 'The path has no such method.' },
  408: { title: 'RequestTimeout', detail: 'The request did not arrive in time.' },
  413: { title: 'BodyTooLarge', detail: 'The body is too large.' },
  415: { title: 'UnsupportedMediaType', detail: 'A body must be application/json in UTF-8, and not compressed.' },
  431: { title: 'RequestHeaderSectionTooLarge', detail: 'The headers are too large.' },
};

interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
}

/** Errors of the admin port as application/problem+json (RFC 9457). `title` is the code of the table. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const problem = problemOf(error);
    if (problem.status >= 500) log.error('an administrative request failed', { error });
    if (problem.status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
    sendProblem(response, problem);
  }
}

function sendProblem(response: Response, problem: Omit<Problem, 'type'>): void {
  response.status(problem.status).type('application/problem+json').send(textOf(problem));
}

function textOf({ title, status, detail }: Omit<Problem, 'type'>): string {
  const problem: Problem = { type: 'about:blank', title, status, detail };
  return JSON.stringify(problem);
}

const refusalOf = (status: number): Omit<Problem, 'type'> => ({
  ...(FRAMEWORK_REFUSALS[status] ?? FRAMEWORK_REFUSALS[400]),
  status,
});

/** Of what is refused before it is a request. */
export const problemText = (status: number): string => textOf(refusalOf(status));

/** Where no exception reaches the filter. */
export function refuse(response: Response, status: number): void {
  sendProblem(response, refusalOf(status));
}

function problemOf(error: unknown): Omit<Problem, 'type'> {
  if (!(error instanceof HoldfastError)) {
    const status = statusOf(error);
    if (status !== undefined) return refusalOf(status);
  }
  const { code, status, message } = toClientError(error);
  return { title: code, status: code === 'SlowDown' ? TOO_MANY_REQUESTS : status, detail: message };
}

/** What the framework and its body parser refuse by themselves: unknown paths, malformed JSON, encodings. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
