import { setTimeout as sleep } from 'node:timers/promises';
import { isHoldfastError, methodsOf, type CallContext, type PortOf, type ServiceContract } from '@holdfast/contracts';
import type { RpcClient } from '@holdfast/service-host';

/** Waits between the tries of an idempotent call, in milliseconds. */
const RETRY_AFTER_MS = [50, 200];

/**
 * The remote adapter of a port, made from its contract: encodes, calls, decodes. A method that the contract calls idempotent
 * is tried again when the service could not be reached; any other is tried once, its outcome being unknown.
 */
export function remotePort<M>(contract: ServiceContract<M>, client: RpcClient): PortOf<M> {
  const port: Record<string, (call: CallContext, input: unknown) => Promise<unknown>> = {};
  for (const [name, method] of methodsOf(contract)) {
    const pattern = `${contract.name}.${name}`;
    port[name] = async (call, input) => {
      const body = method.input.encode(input, name);
      const answer = method.idempotent
        ? await callWithRetries(client, pattern, call, body)
        : await client.call(pattern, call, body);
      return method.output.decode(answer, name);
    };
  }
  return port as PortOf<M>;
}

async function callWithRetries(client: RpcClient, pattern: string, call: CallContext, body: unknown): Promise<unknown> {
  for (const waitMs of RETRY_AFTER_MS) {
    try {
      return await client.call(pattern, call, body);
    } catch (error) {
      if (!isHoldfastError(error, 'ServiceUnavailable') || call.deadline.leftMs() <= waitMs) throw error;
      await sleep(waitMs);
    }
  }
  return client.call(pattern, call, body);
}
