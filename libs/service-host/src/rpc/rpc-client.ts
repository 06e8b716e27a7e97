import { ClientTCP, type Deserializer, type IncomingResponse, type Serializer } from '@nestjs/microservices';
import { HoldfastError, isHoldfastError, type CallContext } from '@holdfast/contracts';
import { firstValueFrom, timeout, TimeoutError } from 'rxjs';
import type { InternalAuthenticator } from '../internal-auth.js';
import { callFrame, errorOfAnswer, receiveAnswer, type AnswerBody, type AnswerFrame } from './rpc-frame.js';

interface OutgoingCall {
  readonly call: CallContext;
  readonly body: unknown;
}

/** One connection to one service of the control plane. It connects when first used and again after a loss. */
export class RpcClient {
  private readonly client: ClientTCP;

  /** `address`: host:port. */
  constructor(
    auth: InternalAuthenticator,
    readonly address: string,
  ) {
    const at = address.lastIndexOf(':');
    const serializer: Serializer = {
      serialize: (packet: { pattern: string; id: string; data: OutgoingCall }) =>
        callFrame(auth, packet.pattern, packet.id, packet.data.call, packet.data.body),
    };
    const deserializer: Deserializer = {
      deserialize: (frame: AnswerFrame): IncomingResponse => ({
        id: frame.id,
        isDisposed: true,
        response: this.receive(auth, frame),
      }),
    };
    this.client = new ClientTCP({
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      serializer,
      deserializer,
      maxBufferSize: 64 * 1024 * 1024,
    });
  }

  /**
   * The decoded answer body. Errors: the callee's own, by name; ServiceUnavailable when it cannot be reached, when the
   * connection is lost (the outcome is then not known) and when the call's time is over.
   */
  async call(pattern: string, call: CallContext, body: unknown): Promise<unknown> {
    const leftMs = call.deadline.leftMs();
    if (leftMs <= 0) throw new HoldfastError('ServiceUnavailable', `${pattern}: no time left to call ${this.address}`);
    let answer: AnswerBody;
    try {
      answer = await firstValueFrom(
        this.client.send<AnswerBody, OutgoingCall>(pattern, { call, body }).pipe(timeout(leftMs)),
      );
    } catch (error) {
      if (isHoldfastError(error)) throw error;
      const what = error instanceof TimeoutError ? 'did not answer in time' : 'cannot be reached';
      throw new HoldfastError('ServiceUnavailable', `${pattern}: ${this.address} ${what}`, {}, { cause: error });
    }
    if ('error' in answer) throw errorOfAnswer(answer.error);
    return answer.ok;
  }

  close(): void {
    this.client.close();
  }

  private receive(auth: InternalAuthenticator, frame: AnswerFrame): AnswerBody {
    try {
      return receiveAnswer(auth, frame);
    } catch {
      return {
        error: {
          code: 'Unauthenticated',
          message: `the answer of ${this.address} carries no valid authentication code`,
          details: {},
        },
      };
    }
  }
}
