import { isId, NULL_VERSION, type CallContext, type MetadataMethods } from '@holdfast/contracts';
import { isOutOfTime, type MetadataDatabase } from './database.js';
import { tagsText } from './record-rows.js';

type Answer = Awaited<ReturnType<MetadataMethods['setObjectTags']>>;

/** Tags of versions: their own column, so that a change of them writes nothing else but the record's revision. */
export class ObjectTagRepository {
  constructor(private readonly database: MetadataDatabase) {}

  async set(call: CallContext, input: Parameters<MetadataMethods['setObjectTags']>[1]): Promise<Answer> {
    const { bucketId, bucketRevision, key, versionId } = input;
    // A version id that nobody can have made names nothing: the empty one.
    const target = versionId === undefined || versionId === NULL_VERSION || isId(versionId) ? versionId : '';
    const leftMs = call.deadline.leftMs();
    try {
      const [[outcome, id, isNull, lastModifiedMs]] = await this.database.timed('writes', leftMs, {
        name: 'set_object_tags',
        text: 'SELECT outcome, version_id, is_null, last_modified_ms FROM metadata.set_object_tags($1, $2, $3, $4, $5, $6)',
        values: [bucketId, bucketRevision, key, target ?? null, tagsText(input.tags), leftMs],
      });
      if (id === null) return { outcome: outcome as Answer['outcome'] };
      return {
        outcome: outcome as Answer['outcome'],
        version: {
          versionId: (id as Buffer).toString('hex'),
          isNull: isNull as boolean,
          lastModifiedMs: Number(lastModifiedMs),
        },
      };
    } catch (error) {
      if (isOutOfTime(error)) return { outcome: 'late' };
      throw error;
    }
  }
}
