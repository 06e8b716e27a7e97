import {
  decodeChunkList,
  encodeChunkList,
  type CallContext,
  type ClusterMap,
  type DatabaseIdentity,
  type MetadataMethods,
  type RedundancyProfile,
  type WrittenPart,
} from '@holdfast/contracts';

type In<M extends keyof MetadataMethods> = Parameters<MetadataMethods[M]>[1];
type Out<M extends keyof MetadataMethods> = ReturnType<MetadataMethods[M]>;

interface WriteRecord {
  readonly bucketId: bigint;
  readonly bucketName: string;
  readonly profile: RedundancyProfile;
  chunks: Buffer;
}

/** What the data service asks of the metadata service: the map, and which writes a record names. No keys, no versions. */
export class InMemoryWriteRecords implements Pick<
  MetadataMethods,
  'clusterMap' | 'findWrite' | 'confirmReplica' | 'confirmIntent' | 'liveWrites' | 'databaseIdentity'
> {
  readonly records = new Map<string, WriteRecord>();
  readonly confirmed: bigint[] = [];
  /** Throws where a call is to fail. */
  fault: (method: string) => void = () => undefined;
  /** What the next confirm of a copy answers instead of judging it. */
  nextConfirm: 'late' | undefined;
  private sequence = 1n;

  constructor(public map: ClusterMap) {}

  /** As a commit would. */
  commit(written: WrittenPart, bucketId: bigint, bucketName: string, profile: RedundancyProfile): void {
    this.records.set(written.writeId, { bucketId, bucketName, profile, chunks: written.chunks });
  }

  async clusterMap(): Out<'clusterMap'> {
    this.fault('clusterMap');
    return this.map;
  }

  async findWrite(_call: CallContext, { writeId }: In<'findWrite'>): Out<'findWrite'> {
    this.fault('findWrite');
    const record = this.records.get(writeId);
    if (record === undefined) return { found: false };
    const { bucketName, profile, chunks } = record;
    return { found: true, bucketName, profile, chunks, primarySetId: 1 };
  }

  async confirmReplica(_call: CallContext, input: In<'confirmReplica'>): Out<'confirmReplica'> {
    this.fault('confirmReplica');
    if (this.nextConfirm !== undefined) {
      const outcome = this.nextConfirm;
      this.nextConfirm = undefined;
      return { outcome };
    }
    this.confirmed.push(input.intentId);
    const record = this.records.get(input.writeId);
    if (record === undefined) return { outcome: 'gone' };
    const entries = decodeChunkList(record.chunks);
    if (entries.every((entry) => entry.secondary !== undefined)) return { outcome: 'already' };
    const copies = decodeChunkList(input.copies);
    const merged = entries.map((entry, index) => ({ ...entry, secondary: copies[index].primary }));
    record.chunks = encodeChunkList(merged);
    return { outcome: 'kept' };
  }

  async confirmIntent(_call: CallContext, { intentId }: In<'confirmIntent'>): Out<'confirmIntent'> {
    this.fault('confirmIntent');
    this.confirmed.push(intentId);
  }

  async liveWrites(_call: CallContext, { writes }: In<'liveWrites'>): Out<'liveWrites'> {
    this.fault('liveWrites');
    const live = writes.flatMap(({ bucketId, writeId }) => {
      const record = this.records.get(writeId);
      return record?.bucketId === bucketId ? [{ writeId, chunks: record.chunks }] : [];
    });
    return { database: await this.databaseIdentity(), live };
  }

  async databaseIdentity(): Promise<DatabaseIdentity> {
    this.fault('databaseIdentity');
    this.sequence += 1n;
    return { clusterId: this.map.clusterId, generation: 1, sequence: this.sequence };
  }
}
