// `node tools/compatibility-page.mjs [--check]`: writes the tables of docs/s3-compatibility.md from the operation table that
// the router itself uses. What is written by hand above the marker stays. With --check nothing is written: exit 1 when the
// page is not what the table says. Needs the compiled libs/s3-protocol (`npm run build`).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs', 's3-compatibility.md');
const compiledTable = join(root, 'libs', 's3-protocol', 'dist', 'index.js');
const marker = '<!-- From here on made by `node tools/compatibility-page.mjs`: edit the operation table instead. -->';

const paths = { service: '/', bucket: '/BUCKET', object: '/BUCKET/KEY' };

function fail(message) {
  console.error(`compatibility-page: ${message}`);
  process.exit(1);
}

/** The request that means the operation, as a client writes it. */
function requestOf({ method, level, query = {}, headers = [], body }) {
  const parameters = Object.entries(query).map(([name, value]) => (value === true ? name : `${name}=${value}`));
  const target = parameters.length === 0 ? paths[level] : `${paths[level]}?${parameters.join('&')}`;
  const extras = [...headers, ...(body === 'form' ? ['multipart/form-data'] : [])];
  return `\`${method} ${target}\`${extras.length === 0 ? '' : ` with ${extras.map((name) => `\`${name}\``).join(', ')}`}`;
}

function tableOf(operations) {
  const rows = operations
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((row) => `| ${row.name} | ${requestOf(row)} | ${row.action === 'none' ? 'none' : `\`${row.action}\``} |`);
  return ['| operation | request | IAM action |', '| --- | --- | --- |', ...rows].join('\n');
}

function tablesOf(operations) {
  const served = operations.filter(({ status }) => status === 'served');
  const planned = operations.filter(({ status }) => status === 'planned');
  const plannedAt = (level) => planned.filter((row) => row.level === level);
  return [
    `## Served: ${served.length} of ${operations.length} operations`,
    tableOf(served),
    `## Planned: ${planned.length} operations, each answers 501 NotImplemented by its name`,
    'A planned operation is resolved and refused by its name before anybody is asked who sent it: nothing is read or stored.',
    '### On the account and on buckets',
    tableOf([...plannedAt('service'), ...plannedAt('bucket')]),
    '### On objects',
    tableOf(plannedAt('object')),
  ].join('\n\n');
}

const [option, ...more] = process.argv.slice(2);
if (more.length > 0 || (option !== undefined && option !== '--check')) fail('the only option is --check');
if (!existsSync(compiledTable)) fail(`${compiledTable} is not there: npm run build`);
const { S3_OPERATIONS } = await import(pathToFileURL(compiledTable).href);

const before = readFileSync(page, 'utf8');
const markedAt = before.indexOf(marker);
if (markedAt < 0) fail(`${page} has lost the line that the tables begin after: ${marker}`);
const after = `${before.slice(0, markedAt)}${marker}\n\n${tablesOf(S3_OPERATIONS)}\n`;
if (option === undefined) writeFileSync(page, after);
else if (before !== after)
  fail('docs/s3-compatibility.md is not what the operation table says: node tools/compatibility-page.mjs');
