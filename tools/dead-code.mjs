// The gate `dead-code`: knip twice. First over everything; then the values that a library's index exports and nobody
// imports, no test either. (Types of an index stay: they describe the signatures of what is used.)
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const knip = join(root, 'node_modules', '.bin', 'knip');
// The workspace's own packages are looked up in their sources: dist may be absent or old.
const always = ['-t', 'tools/tsconfig.dead-code.json', '--no-progress', '--no-config-hints'];

let failed = false;
for (const extra of [[], ['--include', 'exports', '--include-entry-exports']]) {
  const { status, error } = spawnSync(knip, [...always, ...extra], { cwd: root, stdio: 'inherit' });
  if (error !== undefined) console.error(error.message);
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
