import { UnsupportedMediaTypeException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { HoldfastError } from '@holdfast/contracts';
import { parseStrictJson } from '@holdfast/stdx';
import type { GuardedRequest } from './routes-controller.js';

export const BODY_BYTES_MAX = 128 * 1024;

const JSON_IN_UTF8 = /^application\/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*"?utf-8"?[ \t]*)?$/i;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Makes the bytes of a body what routes are given. Everybody must read the same from it: no name stands twice in an object,
 * none is `__proto__`, which zod leaves out of records without a word, and no other encoding can be taken for UTF-8.
 */
export function readJsonBody(request: Request, _response: Response, next: NextFunction): void {
  const bytes: unknown = request.body;
  request.body = undefined;
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) return next();
  if (!JSON_IN_UTF8.test(request.headers['content-type'] ?? '')) return next(new UnsupportedMediaTypeException());
  const text = textOf(bytes);
  (request as GuardedRequest).holdfastBodyText = text;
  request.body = valueOf(text);
  next();
}

function textOf(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw new HoldfastError('InvalidArgument', 'body: expected UTF-8', {}, { cause: error });
  }
}

/** Errors: InvalidArgument, which shows names but nothing of the values. */
function valueOf(text: string): unknown {
  const json = parseStrictJson(text);
  if ('problem' in json) {
    if (json.repeated === undefined) throw refused(json.problem.replace(/ \(.*/s, ''));
    throw refused(`${json.repeated.slice(0, 64)}: ${json.problem}`);
  }
  if (namesThePrototype(json.value)) throw refused('unknown __proto__');
  return json.value;
}

function namesThePrototype(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(namesThePrototype);
}

const refused = (problem: string): HoldfastError => new HoldfastError('InvalidArgument', `body: ${problem}`);
