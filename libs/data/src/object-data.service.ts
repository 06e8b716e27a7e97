import { ObjectData, type CallContext, type ReadRange, type WriteTarget, type WrittenPart } from '@holdfast/contracts';
import type { ObjectReader } from './object-reader.js';
import type { ObjectWriter } from './object-writer.js';

/** The data service in this process. */
export class ObjectDataService extends ObjectData {
  constructor(
    private readonly writer: ObjectWriter,
    private readonly reader: ObjectReader,
  ) {
    super();
  }

  override write(call: CallContext, target: WriteTarget, body: AsyncIterable<Buffer>): Promise<WrittenPart> {
    return this.writer.write(call, target, body);
  }

  override read(call: CallContext, range: ReadRange): AsyncIterable<Buffer> {
    return this.reader.read(call, range);
  }
}
