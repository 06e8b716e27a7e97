import {
  decodeChunkList,
  IntentHandler,
  type CallContext,
  type Intent,
  type MetadataMethods,
} from '@holdfast/contracts';
import type { Replication } from './replication.js';
import type { UnitRemover } from './unit-remover.js';

/** The work that the outbox owes the data service. Each intent may come any number of times. */
export class DataIntentHandler extends IntentHandler {
  constructor(
    private readonly metadata: Pick<MetadataMethods, 'confirmIntent'>,
    private readonly replication: Replication,
    private readonly remover: UnitRemover,
  ) {
    super();
  }

  override async handle(call: CallContext, intent: Intent): Promise<void> {
    switch (intent.kind) {
      case 'replicate': {
        const { requestId } = intent;
        return this.replication.replicate({ requestId, deadline: call.deadline, flow: 'object-creation' }, intent);
      }
      case 'free':
        await this.remover.remove(call, decodeChunkList(intent.chunks));
        return this.metadata.confirmIntent(call, { intentId: intent.intentId });
    }
  }
}
