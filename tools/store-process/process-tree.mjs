// Processes as /proc shows them: descendants, processor time, and whether one that was seen still runs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Linux counts processor time in hundredths of a second for every architecture that Node runs on. */
const tickMs = 10;

/** @returns pid, parent, start time and processor time (its own and that of children it has waited for), or undefined */
function readStat(pid) {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // "pid (name) state ppid …": the name may hold blanks and brackets, so count from the last bracket on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
  return { pid, parent: Number(fields[1]), startedAt: fields[19], zombie: fields[0] === 'Z', cpuMs: ticks * tickMs };
}

function allProcesses() {
  let names;
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((one) => one !== undefined);
}

/** The given processes and all below them. A child that ended is gone, its time is with the parent that waited for it. */
export function processTree(roots) {
  const processes = allProcesses();
  const inside = new Map(processes.filter((one) => roots.includes(one.pid)).map((one) => [one.pid, one]));
  for (let grown = true; grown;) {
    grown = false;
    for (const one of processes) {
      if (inside.has(one.pid) || !inside.has(one.parent)) continue;
      inside.set(one.pid, one);
      grown = true;
    }
  }
  return [...inside.values()];
}

/** Processor time in milliseconds, user and system, of the given processes and all below them. */
export function cpuMsOf(roots) {
  return processTree(roots).reduce((sum, one) => sum + one.cpuMs, 0);
}

/** Whether exactly this process, not a later one with its number, still runs. */
export function stillRuns({ pid, startedAt }) {
  const now = readStat(pid);
  return now !== undefined && !now.zombie && now.startedAt === startedAt;
}

/** The command line of a process, for messages; empty when it is gone. */
export function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** Process id of the Postgres whose folder this is, also when its parent has ended; undefined when there is none. */
export function postmasterOf(folder) {
  try {
    const pid = Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'latin1').split('\n')[0]);
    return /postgres/.test(commandOf(pid)) ? pid : undefined;
  } catch {
    return undefined;
  }
}
