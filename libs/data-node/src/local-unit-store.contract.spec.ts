import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TraceLog } from '@holdfast/contracts';
import { unitStoreContract } from '@holdfast/testkit';
import { LocalUnitStore } from './local-unit-store.js';
import { closeDevices, openDevices } from './open-devices.js';

unitStoreContract('on a device file of this process', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-units-'));
  const [clusterId, deviceId] = [randomUUID(), randomUUID()];
  const path = join(folder, 'device');
  const devices = await openDevices({
    clusterId,
    devices: [{ deviceId, path, generation: 1, createBytes: 128 * 1024 * 1024 }],
  });
  return {
    units: new LocalUnitStore({ devices, trace: new TraceLog('test') }),
    device: { deviceId, nodeId: 'n1', address: '' },
    clusterId,
    close: async () => {
      await closeDevices(devices);
      await rm(folder, { recursive: true });
    },
  };
});
