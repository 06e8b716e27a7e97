import type { Exchange } from '../pipeline/exchange.js';
import { planDocument, type BodyPlan } from './body-plan.js';
import { VerifiedBody } from './verified-body.js';

/** For `decode`: refuses an oversized or mis-declared document before it is read. */
export function documentPlan(exchange: Exchange, maxBytes: number): BodyPlan {
  return planDocument(exchange.request.sent, exchange.grant.payload, maxBytes);
}

/** The whole verified document. Errors: MaxMessageLengthExceeded and those of `VerifiedBody.bytes`. */
export async function readDocument(exchange: Exchange, plan: BodyPlan): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of new VerifiedBody(exchange, plan).bytes()) pieces.push(piece);
  return Buffer.concat(pieces);
}
