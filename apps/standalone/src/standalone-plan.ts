/**
 * What a standalone store consists of, made at its first start and kept in `standalone.json`: ids and device files. Ids never
 * change; the internal port is of this start.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageSetEntry } from '@holdfast/contracts';
import { LocalServiceError, writeDurably } from '@holdfast/local-services';

export interface StandalonePlan {
  readonly clusterId: string;
  readonly devices: readonly { readonly deviceId: string; readonly path: string }[];
  /** False until every device file has been made once: from then on a missing one is a loss, never made anew in silence. */
  readonly devicesMade: boolean;
  /** Health and trace, for the tools; of the last start. */
  readonly httpPort: number;
}

const DEFAULT_DEVICES = 3;

const planFile = (dataDirectory: string): string => join(dataDirectory, 'standalone.json');

/** @throws LocalServiceError when the file is damaged or other devices are named than at the first start */
export async function preparePlan(dataDirectory: string, devices: readonly string[]): Promise<StandalonePlan> {
  const kept = await readKept(planFile(dataDirectory));
  if (!kept) {
    const paths =
      devices.length > 0
        ? devices
        : Array.from({ length: DEFAULT_DEVICES }, (_, i) => join(dataDirectory, 'devices', `${i + 1}.device`));
    if (new Set(paths).size !== paths.length)
      throw new LocalServiceError('BadOption', 'each --device must be a file of its own');
    return {
      clusterId: randomUUID(),
      devices: paths.map((path) => ({ deviceId: randomUUID(), path })),
      devicesMade: false,
      httpPort: 0,
    };
  }
  if (devices.length > 0 && devices.join() !== kept.devices.map((device) => device.path).join()) {
    const paths = kept.devices.map((device) => device.path).join(', ');
    const advice = kept.devicesMade
      ? 'leave --device out'
      : `leave --device out, or remove ${dataDirectory} to choose others`;
    throw new LocalServiceError(
      'BadOption',
      `the devices of ${dataDirectory} are those of its first start (${paths}); ${advice}`,
    );
  }
  return kept;
}

async function readKept(file: string): Promise<StandalonePlan | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as StandalonePlan;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LocalServiceError('DamagedFile', `${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

export async function savePlan(dataDirectory: string, plan: StandalonePlan): Promise<void> {
  const file = planFile(dataDirectory);
  await writeDurably(`${file}.new`, `${JSON.stringify(plan, null, 2)}\n`, 0o600);
  await rename(`${file}.new`, file);
}

/** One set of one node; each device is a failure domain of its own. */
export function plannedSets(plan: StandalonePlan): StorageSetEntry[] {
  const controllers = plan.devices.map((device, slot) => ({
    controllerId: `standalone-${slot + 1}`,
    devices: [{ deviceId: device.deviceId, slot, generation: 1, state: 'live' as const }],
  }));
  return [
    {
      setId: 1,
      state: 'active',
      weight: 1,
      nodes: [{ nodeId: 'standalone', address: '', state: 'live', controllers }],
    },
  ];
}
