/** `npm run device -- COMMAND FILE`: makes a device, or looks into one that no process has open. */
import { once } from 'node:events';
import { runDeviceTool } from '@holdfast/data-node';

// Whoever reads only the first lines of a dump (`| head`) has what they wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const stopping = new AbortController();
process.once('SIGINT', () => stopping.abort());
process.once('SIGTERM', () => stopping.abort());

process.exitCode = await runDeviceTool(process.argv.slice(2), {
  signal: stopping.signal,
  async print(line) {
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
  },
  complain(line) {
    console.error(line);
  },
});
