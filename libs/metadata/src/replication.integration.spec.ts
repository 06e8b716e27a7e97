import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeChunkList, encodeChunkList, IntentBus, LIMITS, newId, type Intent } from '@holdfast/contracts';
import type { MetadataService } from './metadata.service.js';
import { OutboxRelay } from './outbox-relay.worker.js';
import { aCall, ATTRIBUTES, commit, layout, MetadataFixture, written } from './testing/metadata-fixture.js';

/** Keeps what it is given, or fails while it is down. */
class RecordingBus extends IntentBus {
  readonly published: Intent[] = [];
  down = false;
  hangs = false;
  override async publish(_call: unknown, intents: readonly Intent[]): Promise<void> {
    if (this.hangs) await new Promise(() => undefined);
    if (this.down) throw new Error('the bus is down');
    this.published.push(...intents);
  }
}

const copyOf = (packed: Buffer, setId = 2) =>
  encodeChunkList(decodeChunkList(packed).map(({ sizeBytes }) => ({ sizeBytes, primary: layout(setId) })));

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAtMs) throw new Error('what was waited for did not come');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('the outbox', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;
  let other: MetadataService;
  const relays: OutboxRelay[] = [];

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    const settings = { claimMs: 300, claimMsMax: 600, freeDelayMs: 0 };
    service = await fixture.open(undefined, settings);
    other = await fixture.open(undefined, settings);
  }, 60_000);
  afterEach(async () => {
    await Promise.all(relays.splice(0).map((relay) => relay.stop()));
    await fixture.query('DELETE FROM metadata.outbox');
  });
  afterAll(() => fixture?.stop());

  const relay = (bus: IntentBus, on = service, settings = {}) => {
    const made = new OutboxRelay(on, bus, { pollMs: 200, backoffMs: 50, backoffMsMax: 200, ...settings });
    relays.push(made);
    made.start();
    return made;
  };
  const put = async (on = service) => {
    const bucket = await fixture.bucket(service);
    const input = commit(bucket, 'k');
    await on.commitObject(aCall(), input);
    return { bucket, input, writeId: input.written.writeId };
  };
  const confirm = (intent: Intent, copies: Buffer, change = {}) =>
    service.confirmReplica(aCall(), {
      intentId: intent.intentId,
      bucketId: intent.bucketId,
      writeId: intent.writeId,
      copies,
      attemptAgeMs: 0,
      ...change,
    });
  const versionOf = async (bucketName: string, key = 'k') =>
    (await service.findObject(aCall(), { bucketName, key })).version;

  it('seed-3.9: a commit reaches the bus by itself, again until it is confirmed, and a copy that came twice changes nothing', async () => {
    const bus = new RecordingBus();
    relay(bus);
    const { bucket, input, writeId } = await put();
    await until(() => bus.published.length > 0);
    const [intent] = bus.published;
    expect(intent).toMatchObject({ kind: 'replicate', bucketId: bucket.bucketId, writeId });
    expect((await service.status()).outbox).toEqual({ replicate: 1 });
    expect((await service.status()).oldestReplicateMs).toBeGreaterThanOrEqual(0);
    // Not confirmed: its claim lapses and it is delivered again.
    await until(() => bus.published.length > 1);
    expect(bus.published[1]).toEqual(intent);

    const found = await service.findWrite(aCall(), { bucketId: bucket.bucketId, writeId });
    expect(found).toMatchObject({ found: true, bucketName: bucket.name, profile: bucket.profile, primarySetId: 1 });
    const copies = copyOf(found.chunks as Buffer);
    const before = await versionOf(bucket.name);
    expect(await confirm(intent, copies)).toEqual({ outcome: 'kept' });
    expect((await service.status()).outbox).toEqual({});
    const after = await versionOf(bucket.name);
    expect(after?.replication).toBe('completed');
    expect(after?.sequence).toBe(before?.sequence);
    expect(after?.revision).toBeGreaterThan(before?.revision as bigint);
    const [entry] = decodeChunkList(after?.chunks as Buffer);
    expect(entry.primary).toEqual(decodeChunkList(input.written.chunks)[0].primary);
    expect(entry.secondary).toEqual(decodeChunkList(copies)[0].primary);
    // The loser's copy is to be freed; the first stays.
    expect(await confirm(intent, copyOf(found.chunks as Buffer))).toEqual({ outcome: 'already' });
    expect((await versionOf(bucket.name))?.chunks).toEqual(after?.chunks);
  });

  it('of two copies that are confirmed at once the first is kept', async () => {
    const { bucket, input } = await put();
    const [{ intent }] = await service.claimIntents(10);
    const copies = [copyOf(input.written.chunks), copyOf(input.written.chunks)];
    const answers = await Promise.all(copies.map((copy) => confirm(intent, copy)));
    expect(answers.map((answer) => answer.outcome).sort()).toEqual(['already', 'kept']);
    const kept = copies[answers.findIndex((answer) => answer.outcome === 'kept')];
    const [entry] = decodeChunkList((await versionOf(bucket.name))?.chunks as Buffer);
    expect(entry.secondary).toEqual(decodeChunkList(kept)[0].primary);
  });

  it('a copy of a version that is gone, of a late attempt or of other chunks is not kept', async () => {
    const { bucket, input } = await put();
    const [{ intent }] = await service.claimIntents(10);
    const copies = copyOf(input.written.chunks);
    expect(await confirm(intent, copies, { attemptAgeMs: 24 * 3600 * 1000 })).toEqual({ outcome: 'late' });
    const wrong = encodeChunkList([{ sizeBytes: 1, primary: layout(2) }]);
    await expect(confirm(intent, wrong)).rejects.toMatchObject({ code: 'InvalidArgument' });
    await expect(confirm(intent, copyOf(input.written.chunks, 1))).rejects.toMatchObject({ code: 'InvalidArgument' });
    expect((await versionOf(bucket.name))?.replication).toBe('pending');
    const items = [{ key: 'k', conditions: {} }];
    await service.deleteObjects(aCall(), { bucketId: bucket.bucketId, bucketRevision: bucket.revision, items });
    expect(await service.findWrite(aCall(), { bucketId: bucket.bucketId, writeId: intent.writeId })).toEqual({
      found: false,
    });
    expect(await confirm(intent, copies)).toEqual({ outcome: 'gone' });
    expect((await service.status()).outbox).toEqual({ free: 1 });
  });

  it('a multipart object is completed when every part has its copy', async () => {
    const bucket = await fixture.bucket(service);
    const ref = { bucketId: bucket.bucketId, key: 'k', uploadId: newId() };
    await service.createUpload(aCall(), { ...ref, attributes: ATTRIBUTES, accountId: 'a', initiatorArn: 'b' });
    const etags = [1, 2].map((n) => createHash('md5').update(`${n}`).digest('hex'));
    for (const [i, etag] of etags.entries()) {
      const part = written(LIMITS.partBytesMin);
      await service.commitPart(aCall(), {
        ...ref,
        partNumber: i + 1,
        etag,
        checksums: {},
        written: part,
        attemptAgeMs: 0,
      });
    }
    const parts = etags.map((etag, i) => ({ partNumber: i + 1, etag }));
    const done = { ...ref, versionId: newId(), parts, checksums: {}, conditions: {}, bucketRevision: bucket.revision };
    expect((await service.completeUpload(aCall(), done)).outcome).toBe('completed');
    const claimed = await service.claimIntents(10);
    expect(claimed).toHaveLength(2);
    for (const [i, { intent }] of claimed.entries()) {
      expect((await versionOf(bucket.name))?.replication).toBe('pending');
      const { chunks } = await service.findWrite(aCall(), { bucketId: bucket.bucketId, writeId: intent.writeId });
      expect(await confirm(intent, copyOf(chunks as Buffer))).toEqual({ outcome: 'kept' });
      expect((await service.status()).outbox).toEqual(i === 0 ? { replicate: 1 } : {});
    }
    expect((await versionOf(bucket.name))?.replication).toBe('completed');
  });

  it('seed-3.10: a bus that is down, or hangs, holds up no commit and loses nothing; it catches up when it is back', async () => {
    const bus = new RecordingBus();
    bus.down = true;
    const errors: unknown[] = [];
    const made = relay(bus, service, { publishTimeoutMs: 200, onError: (error: unknown) => errors.push(error) });
    const puts = [await put(), await put(), await put()];
    await until(() => errors.length >= 3);
    bus.down = false;
    bus.hangs = true;
    await until(() => errors.some((error) => String(error).includes('longer than')));
    expect((await service.status()).outbox).toEqual({ replicate: 3 });
    expect(made.status().failuresInARow).toBeGreaterThan(0);
    bus.hangs = false;
    await until(() => new Set(bus.published.map((intent) => intent.writeId)).size === 3);
    expect(new Set(bus.published.map((intent) => intent.writeId))).toEqual(new Set(puts.map((one) => one.writeId)));
    // What could not be handed over does not count as a delivery: rows do not fade away while the bus is down.
    const rows = await fixture.query('SELECT max(attempts) AS attempts FROM metadata.outbox');
    expect(rows[0].attempts).toBeLessThanOrEqual(2);
  }, 60_000);

  it('a row whose work keeps failing comes back at growing distances, and does not spin', async () => {
    await put();
    const claims: number[] = [];
    const startedAt = performance.now();
    while (performance.now() - startedAt < 1_500) {
      const claimed = await service.claimIntents(10);
      if (claimed.length > 0) claims.push(claimed[0].attempts);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // At 0, 300, then every 600 ms.
    expect(claims).toEqual(claims.map((_, i) => i + 1));
    expect(claims.length).toBeGreaterThanOrEqual(2);
    expect(claims.length).toBeLessThanOrEqual(4);
  });

  it('two relays share the rows: each claim is of one of them', async () => {
    for (let i = 0; i < 30; i++) await put(i % 2 === 0 ? service : other);
    const claims = await Promise.all([service, other, service, other].map((on) => on.claimIntents(10)));
    const ids = claims.flat().map((claimed) => claimed.intent.intentId);
    expect(ids.length).toBe(new Set(ids).size);
    const rest = await service.claimIntents(100);
    expect(ids.length + rest.length).toBe(30);
  });

  it('a relay of another process hears of a commit without polling', async () => {
    const bus = new RecordingBus();
    relay(bus, other, { pollMs: 60_000 });
    await until(async () => {
      const listening = await fixture.query(
        "SELECT FROM pg_stat_activity WHERE application_name = 'holdfast-metadata-outbox' AND query LIKE 'LISTEN%'",
      );
      return listening.length > 0;
    });
    const { writeId } = await put(service);
    await until(() => bus.published.some((intent) => intent.writeId === writeId));
  });

  it('freed bytes are published with their chunks once their delay has passed, repairs are only counted', async () => {
    const { bucket, input } = await put();
    await service.commitObject(aCall(), commit(bucket, 'k', { written: written(10, { degraded: true }) }));
    const claimed = (await service.claimIntents(10)).map((one) => one.intent);
    const free = claimed.find((intent) => intent.kind === 'free');
    expect(free).toMatchObject({ bucketId: bucket.bucketId, writeId: input.written.writeId });
    expect((free as { chunks: Buffer }).chunks.equals(input.written.chunks)).toBe(true);
    expect(claimed.map((intent) => intent.kind).sort()).toEqual(['free', 'replicate', 'replicate']);
    expect((await service.status()).outbox).toEqual({ free: 1, repair: 1, replicate: 2 });
    await service.confirmIntent(aCall(), { intentId: (free as Intent).intentId });
    expect((await service.status()).outbox).toEqual({ repair: 1, replicate: 2 });
  });

  it("live writes are those that a version or an open upload names, with the database's identity", async () => {
    const { bucket, input } = await put();
    const replaced = commit(bucket, 'replaced');
    await service.commitObject(aCall(), replaced);
    await service.commitObject(aCall(), commit(bucket, 'replaced'));
    const ref = { bucketId: bucket.bucketId, key: 'k', uploadId: newId() };
    await service.createUpload(aCall(), { ...ref, attributes: ATTRIBUTES, accountId: 'a', initiatorArn: 'b' });
    const part = written();
    const etag = createHash('md5').update('1').digest('hex');
    await service.commitPart(aCall(), { ...ref, partNumber: 1, etag, checksums: {}, written: part, attemptAgeMs: 0 });
    const ask = async (writeIds: string[]) => {
      const writes = writeIds.map((writeId) => ({ bucketId: bucket.bucketId, writeId }));
      return service.liveWrites(aCall(), { writes });
    };
    const asked = [input.written.writeId, replaced.written.writeId, part.writeId, newId()];
    const { database, live } = await ask(asked);
    expect(live.map((write) => write.writeId).sort()).toEqual([input.written.writeId, part.writeId].sort());
    for (const { writeId, chunks } of live) {
      const own = writeId === part.writeId ? part : input.written;
      expect(chunks.equals(own.chunks)).toBe(true);
    }
    expect(database).toEqual(await service.databaseIdentity());
    expect((await ask([])).live).toEqual([]);
    expect((await ask([newId()])).database.clusterId).toBe(database.clusterId);
    await service.abortUpload(aCall(), ref);
    expect((await ask([part.writeId])).live).toEqual([]);
    const later = await versionOf(bucket.name);
    expect(database.sequence).toBeGreaterThanOrEqual(later?.sequence as bigint);
  });
});
