// Resident memory of the processes of a store, by name, as Linux counts it. Processes of one name share a column: the largest.
import { readFileSync, writeFileSync } from 'node:fs';
import { MissingDependency } from '../../missing-dependency.mjs';
import { commandOf, processTree } from '../../store-process/process-tree.mjs';

const KIB_PER_MIB = 1024;
/** What is written to `clear_refs` to begin a new peak. */
const resetPeak = '5';

/** Ours are named by their app. */
export const ownPattern = /\/apps\/([^/]+)\/dist\//;

function nameOf(pid) {
  const command = commandOf(pid);
  const own = ownPattern.exec(command)?.[1];
  if (own !== undefined) return { name: own, isOwn: true };
  if (command.includes('kafka')) return { name: 'kafka', isOwn: false };
  return command.includes('postgres') ? { name: 'postgres', isOwn: false } : undefined;
}

/** MiB of a field of /proc/PID/status; undefined when the process is gone. */
function memoryOf(pid, field) {
  try {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return line === null ? undefined : Number(line[1]) / KIB_PER_MIB;
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
    throw error;
  }
}

/** From now on peaks are those since this moment. */
export function beginPeaks(roots) {
  for (const { pid } of processTree(roots))
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, resetPeak);
    } catch (error) {
      if (error.code === 'EACCES' || error.code === 'EPERM')
        throw new MissingDependency(`no right to begin a new peak of process ${pid}`, { cause: error });
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
    }
}

/** By name: { isOwn, peakMib, nowMib }. */
export function residentOf(roots) {
  const byName = new Map();
  for (const { pid } of processTree(roots)) {
    const named = nameOf(pid);
    const peakMib = memoryOf(pid, 'VmHWM');
    const nowMib = memoryOf(pid, 'VmRSS');
    if (named === undefined || peakMib === undefined || nowMib === undefined) continue;
    const seen = byName.get(named.name) ?? { isOwn: named.isOwn, peakMib: 0, nowMib: 0 };
    seen.peakMib = Math.max(seen.peakMib, peakMib);
    seen.nowMib = Math.max(seen.nowMib, nowMib);
    byName.set(named.name, seen);
  }
  return byName;
}
