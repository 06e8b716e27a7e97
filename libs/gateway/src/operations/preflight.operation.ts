import { answerPreflight, parsePreflight, type Preflight } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation, type Operation } from '../pipeline/operation.js';
import { emptyReply, type ReplyHeaders } from '../pipeline/reply.js';

/** A browser asks before the request that it is about to send: nobody is authenticated, nothing of the bucket is told. */
const preflightOf = (name: string, resourceType: 'BUCKET' | 'OBJECT'): Operation =>
  defineOperation<Preflight, ReplyHeaders>({
    name,
    access: () => ({ required: [] }),
    decode: ({ request }) => parsePreflight(request.headers),
    async handle(preflight, exchange: Exchange) {
      const { services, bucketName } = exchange;
      const rules = await services.cors.rulesOf(exchange.controlCall(), bucketName);
      return answerPreflight(rules, preflight, resourceType);
    },
    encode: (headers) => emptyReply(200, headers),
  });

export const optionsBucket = preflightOf('OptionsBucket', 'BUCKET');
export const optionsObject = preflightOf('OptionsObject', 'OBJECT');
