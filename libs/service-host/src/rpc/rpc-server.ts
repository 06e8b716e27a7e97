import 'reflect-metadata';
import { Controller, Inject, type Abstract, type Type } from '@nestjs/common';
import {
  MessagePattern,
  Transport,
  type Deserializer,
  type MicroserviceOptions,
  type Serializer,
} from '@nestjs/microservices';
import { HoldfastError, isHoldfastError, methodsOf, type CallContext, type ServiceContract } from '@holdfast/contracts';
import type { InternalAuthenticator } from '../internal-auth.js';
import { log } from '../log.js';
import {
  answerFrame,
  answerOfError,
  receiveCall,
  type AnswerBody,
  type CallFrame,
  type ReceivedCall,
} from './rpc-frame.js';

type AnyMethod = (call: CallContext, input: unknown) => Promise<unknown>;

/** The receiving half of the control plane's wire, given to Nest's TCP server in place of its own (de)serializer. */
export function rpcServerOptions(auth: InternalAuthenticator, host: string, port: number): MicroserviceOptions {
  const deserializer: Deserializer = {
    deserialize(frame: CallFrame) {
      return { pattern: frame.pattern, id: frame.id, data: receiveCall(auth, frame) };
    },
  };
  const serializer: Serializer = {
    serialize(packet: { id: string; response?: AnswerBody; err?: unknown }) {
      const body =
        packet.response ?? answerOfError(new HoldfastError('NotImplemented', `no such method: ${String(packet.err)}`));
      return answerFrame(auth, packet.id, body);
    },
  };
  return {
    transport: Transport.TCP,
    options: { host, port, serializer, deserializer, maxBufferSize: 64 * 1024 * 1024 },
  };
}

/**
 * A Nest controller with one message handler per method of the contract (`metadata.commitObject`), each of which decodes,
 * calls the port and encodes. Made from the same data as the remote adapter.
 */
export function rpcControllerOf<M>(
  contract: ServiceContract<M>,
  token: Abstract<unknown> | Type<unknown>,
): Type<unknown> {
  class RpcController {
    constructor(readonly port: Record<string, AnyMethod>) {}
  }
  Object.defineProperty(RpcController, 'name', { value: `${contract.name}RpcController` });
  Inject(token)(RpcController, undefined, 0);
  Reflect.defineMetadata('design:paramtypes', [Object], RpcController);
  Controller()(RpcController);
  for (const [method, schema] of methodsOf(contract)) {
    const pattern = `${contract.name}.${method}`;
    const handler = async function (this: RpcController, received: ReceivedCall): Promise<AnswerBody> {
      try {
        if ('rejected' in received) throw received.rejected;
        const input = schema.input.decode(received.body, method);
        if (received.call.deadline.passed)
          throw new HoldfastError('ServiceUnavailable', 'the deadline had passed before the call began');
        const output = await this.port[method](received.call, input);
        return { ok: schema.output.encode(output, method) };
      } catch (error) {
        if (!isHoldfastError(error)) log.error('call failed', { pattern, error });
        return answerOfError(error);
      }
    };
    Object.defineProperty(RpcController.prototype, method, { value: handler, writable: true, configurable: true });
    const descriptor = Object.getOwnPropertyDescriptor(RpcController.prototype, method) as PropertyDescriptor;
    MessagePattern(pattern)(RpcController.prototype, method, descriptor as TypedPropertyDescriptor<unknown>);
  }
  return RpcController as unknown as Type<unknown>;
}
