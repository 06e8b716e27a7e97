import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { TraceLog } from '@holdfast/contracts';
import { startPostgres } from '@holdfast/local-services';
import { identityAdministrationContract, identityContract, type IdentityUnderTest } from '@holdfast/testkit';
import { IdentityService } from './identity.service.js';

async function make(): Promise<IdentityUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-identity-'));
  const postgres = await startPostgres({ directory });
  const root = { accessKeyId: 'contract-root', secretAccessKey: 'contract-root-secret' };
  const identity = await IdentityService.open({
    databaseUrl: postgres.url,
    clusterSecret: Buffer.alloc(32, 7),
    rootCredentials: root,
    trace: new TraceLog('test'),
  });
  const close = async (): Promise<void> => {
    await identity.close();
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  };
  return { identity, administration: identity.administration, root, close };
}

describe('Identity, local over Postgres', () => {
  identityContract(make);
});

describe('IdentityAdministration, local over Postgres', () => {
  identityAdministrationContract(make);
});
