import type { NextFunction, Request, Response } from 'express';
import { readStrictHead } from '@holdfast/s3-protocol';
import { problemText } from './problem-filter.js';

/** How long a refused sender may go on before its connection ends. */
const LINGER_MS = 2_000;

/** What can be read in two ways is refused, as on the S3 port: whoever stands in front may have read the other one. */
export function refuseSecondReadings(request: Request, response: Response, next: NextFunction): void {
  try {
    readStrictHead(request);
  } catch (error) {
    response.setHeader('Connection', 'close');
    return next(error);
  }
  next();
}

/** A body that announces more than `bytesMax` is refused by its head: the parser of bodies would wait for its end first. */
export function refuseAnnouncedBytes(
  bytesMax: number,
): (request: Request, response: Response, next: NextFunction) => void {
  return (request, response, next) => {
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) refuseWhileItComes(request, response);
    else next();
  };
}

/** A socket that is closed with unread bytes in it resets, and the sender would lose the answer: so they are dropped a while. */
function refuseWhileItComes(request: Request, response: Response): void {
  const body = problemText(413);
  response.status(413).type('application/problem+json').setHeader('Content-Length', Buffer.byteLength(body));
  response.setHeader('Connection', 'close');
  response.write(body);
  const end = (): void => void response.end();
  const timer = setTimeout(end, LINGER_MS);
  request.once('close', () => {
    clearTimeout(timer);
    end();
  });
  request.resume();
}
