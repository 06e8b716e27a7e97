// `node tools/promises-page.mjs`: finds every test that docs/promises.md names. Exit 1 with a line for each that is gone: a
// file, a test's name in it as it is written there, or the number of a seed row in a file of the row's tests.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const namedTest = /`((?:libs|apps|e2e|tools)\/[^`]+)`(?: "((?:[^"<]|"(?! *(?:<br>|\|)))+)")?/g;
const seedRow = /^\| (\d+\.\d+) \|/;

const sources = new Map();
function sourceOf(file) {
  if (!sources.has(file))
    sources.set(file, existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : undefined);
  return sources.get(file);
}

/** What is wrong with one test named in a line of the page, or undefined. */
function problemOf(file, name, row) {
  const source = sourceOf(file);
  if (source === undefined) return `${file} is not there`;
  if (name !== undefined && !source.includes(name)) return `${file} has no test "${name}"`;
  if (row !== undefined && !new RegExp(`seed-${row.replace('.', '\\.')}\\b`).test(source))
    return `${file} has no test of row ${row}`;
  return undefined;
}

const problems = [];
let named = 0;
for (const line of readFileSync(join(root, 'docs', 'promises.md'), 'utf8').split('\n')) {
  if (!line.startsWith('|')) continue;
  const row = seedRow.exec(line)?.[1];
  const found = [...line.matchAll(namedTest)];
  if (row !== undefined && found.length === 0) problems.push(`row ${row} has no test`);
  named += found.length;
  problems.push(
    ...found.map(([, file, name]) => problemOf(file, name, row)).filter((problem) => problem !== undefined),
  );
}
if (named === 0) problems.push('it names no test at all');
for (const problem of problems) console.error(`docs/promises.md: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${named} tests named, all there`);
