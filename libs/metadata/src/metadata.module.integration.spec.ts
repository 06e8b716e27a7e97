import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Metadata, TraceLog } from '@holdfast/contracts';
import { Test } from '@nestjs/testing';
import { MetadataModule } from './metadata.module.js';
import { MetadataService } from './metadata.service.js';
import { aCall, MetadataFixture, storageSet } from './testing/metadata-fixture.js';

describe('the Nest module', () => {
  let fixture: MetadataFixture;
  beforeAll(async () => {
    fixture = await MetadataFixture.start();
  }, 60_000);
  afterAll(() => fixture?.stop());

  it('provides the port, migrates once for several that start together, and closes its connections with the application', async () => {
    const options = {
      databaseUrl: fixture.postgres.url,
      clusterMapSeed: { sets: [storageSet(1)] },
      trace: new TraceLog('t'),
    };
    const start = () => Test.createTestingModule({ imports: [MetadataModule.forRoot(options)] }).compile();
    const modules = await Promise.all([start(), start(), start()]);
    const metadata = modules[0].get(Metadata);
    expect(metadata).toBe(modules[0].get(MetadataService));
    await metadata.createBucket(aCall(), { name: 'through-nest', accountId: 'a' });
    const found = await modules[1].get(Metadata).findBucket(aCall(), { name: 'through-nest' });
    expect(found.bucket?.name).toBe('through-nest');
    expect((await metadata.clusterMap(aCall(), {})).epoch).toBe(1n);
    const again = await start();
    await Promise.all([...modules, again].map((module) => module.close()));
    const open = async () =>
      (await fixture.query("SELECT FROM pg_stat_activity WHERE application_name LIKE 'holdfast-metadata%'")).length;
    // A backend takes a moment to notice that its client has gone.
    while ((await open()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }, 60_000);

  it('a database without a cluster map needs a seed, and a database of another encoding is refused', async () => {
    const trace = new TraceLog('t');
    const databaseUrl = await fixture.newDatabase();
    await expect(MetadataService.open({ databaseUrl, trace })).rejects.toMatchObject({ code: 'InvalidRequest' });
    await fixture.query("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    const latin = new URL(fixture.postgres.url);
    latin.pathname = '/latin';
    await expect(MetadataService.open({ databaseUrl: latin.href, trace })).rejects.toMatchObject({
      code: 'InvalidRequest',
    });
    const seed = { clusterId: 'one', sets: [storageSet(1)] };
    await (await MetadataService.open({ databaseUrl, trace, clusterMapSeed: seed })).close();
    const other = { databaseUrl, trace, clusterMapSeed: { ...seed, clusterId: 'two' } };
    await expect(MetadataService.open(other)).rejects.toMatchObject({ code: 'ForeignDatabase' });
    await (await MetadataService.open({ databaseUrl, trace })).close();
  }, 60_000);
});
