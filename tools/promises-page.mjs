// `node tools/promises-page.mjs`: finds every test that docs/promises.md and docs/attacks.md name. Exit 1 with a line for each
// that is gone: a file, a test's name in it as it is written there, or the number of a row in the names of a file's tests.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const namedTest = /`((?:libs|apps|e2e|tools)\/[^`]+)`(?: "((?:[^"<]|"(?! *(?:<br>|\|)))+)")?/g;
/** Rows of tables, by what they begin with, and how the names of their tests show them. */
const rowKinds = [
  { begins: /^\| (\d+\.\d+) \|/, shownAs: (row) => new RegExp(`seed-${row.replace('.', '\\.')}\\b`) },
  { begins: /^\| (X[A-H]\d+) \|/, shownAs: (row) => new RegExp(`['"\`][^'"\`]*\\b${row}\\b`) },
];
/** Parts of the attack matrix with the number of their rows: none may be missing. */
const attackRows = { XA: 14, XB: 8, XC: 15, XE: 14, XF: 6, XH: 7 };

const sources = new Map();
function sourceOf(file) {
  if (!sources.has(file))
    sources.set(file, existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : undefined);
  return sources.get(file);
}

/** What is wrong with one test named in a line of a page, or undefined. */
function problemOf(file, name, row, shown) {
  const source = sourceOf(file);
  if (source === undefined) return `${file} is not there`;
  if (name !== undefined && !source.includes(name)) return `${file} has no test "${name}"`;
  if (shown !== undefined && !shown.test(source)) return `${file} has no test of row ${row}`;
  return undefined;
}

/** Prints what is wrong with a page, and answers how many tests and which rows it names. */
function readPage(page) {
  const problems = [];
  const rows = new Set();
  let named = 0;
  for (const line of readFileSync(join(root, 'docs', page), 'utf8').split('\n')) {
    if (!line.startsWith('|')) continue;
    const kind = rowKinds.find(({ begins }) => begins.test(line));
    const row = kind?.begins.exec(line)?.[1];
    const found = [...line.matchAll(namedTest)];
    if (row !== undefined) rows.add(row);
    if (row !== undefined && found.length === 0) problems.push(`row ${row} has no test`);
    named += found.length;
    problems.push(
      ...found
        .map(([, file, name]) => problemOf(file, name, row, kind?.shownAs(row)))
        .filter((problem) => problem !== undefined),
    );
  }
  if (named === 0) problems.push('it names no test at all');
  return { problems, rows, named };
}

const promises = readPage('promises.md');
const attacks = readPage('attacks.md');
for (const [part, count] of Object.entries(attackRows)) {
  for (let number = 1; number <= count; number += 1)
    if (!attacks.rows.has(`${part}${number}`)) attacks.problems.push(`row ${part}${number} is missing`);
}
for (const problem of promises.problems) console.error(`docs/promises.md: ${problem}`);
for (const problem of attacks.problems) console.error(`docs/attacks.md: ${problem}`);
if (promises.problems.length + attacks.problems.length > 0) process.exitCode = 1;
else console.log(`${promises.named + attacks.named} tests named, all there`);
