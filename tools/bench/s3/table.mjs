// One row per step and server: medians over the rounds, and ratios that were taken inside each round.
const MB = 1e6;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Three digits that matter. */
const rounded = (value) => (value === undefined || !Number.isFinite(value) ? undefined : Number(value.toPrecision(3)));

const isSmall = (step) => step.sizeBytes < 1e5;
const rateOf = (step, perSecond) => (isSmall(step) ? perSecond : (perSecond * step.sizeBytes) / MB);
const unitOf = (step) => (isSmall(step) ? '/s' : 'MB/s');

export function printProgress(log, step, name, round, measured) {
  if (measured.errorCount > 0)
    log(`  ${step.name} ${name}: ${measured.errorCount} errors: ${measured.errors.join(' | ')}`);
  if (measured.operations === 0) return;
  const rate = `${Math.round(rateOf(step, measured.perSecond))} ${unitOf(step)}`;
  log(
    `  round ${round + 1}  ${step.name.padEnd(10)}  ${name.padEnd(10)}  ${rate.padStart(12)}  p50 ${measured.p50Ms.toFixed(2)} ms`,
  );
}

function ratios(runs, yardstick) {
  return runs
    .map((run) => run.perSecond / yardstick.find((one) => one.round === run.round)?.perSecond)
    .filter((ratio) => Number.isFinite(ratio));
}

function rowOf(step, server, runs, yardstick) {
  const errors = runs.reduce((sum, run) => sum + run.errorCount, 0);
  const head = { step: step.name, connections: step.connections, server };
  const unit = unitOf(step);
  // A figure of answers that were wrong says nothing.
  if (errors > 0) {
    const none = { ratio: undefined, ratioRange: undefined, p50Ms: undefined, p99Ms: undefined, cpuUsPerOp: undefined };
    return { ...head, rate: 'no result', unit, ...none, clientCores: undefined, errors };
  }
  const inRounds = ratios(runs, yardstick);
  const cpu = runs.map((run) => run.cpuUsPerOperation).filter((value) => value !== undefined);
  return {
    ...head,
    rate: rounded(rateOf(step, median(runs.map((run) => run.perSecond)))),
    unit,
    ratio: rounded(median(inRounds)),
    ratioRange: `${rounded(Math.min(...inRounds))}-${rounded(Math.max(...inRounds))}`,
    p50Ms: rounded(median(runs.map((run) => run.p50Ms))),
    p99Ms: rounded(median(runs.map((run) => run.p99Ms))),
    cpuUsPerOp: cpu.length === 0 ? undefined : rounded(median(cpu)),
    clientCores: rounded(median(runs.map((run) => run.clientCores))),
    errors,
  };
}

/** The first of `names` is the yardstick. */
export function rowsOf({ measurements, steps, names }) {
  return steps.flatMap((step) => {
    const ofStep = measurements.filter((one) => one.step === step);
    const of = (name) => ofStep.filter((one) => one.server === name);
    return names.map((name) => rowOf(step, name, of(name), of(names[0])));
  });
}
