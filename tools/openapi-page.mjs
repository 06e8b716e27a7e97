// `node tools/openapi-page.mjs [--check]`: writes docs/openapi.json, the description of the admin REST, from the routes and
// schemas that requests are held against. With --check nothing is written: exit 1 when the file is not what the code says.
// Needs the compiled libs/gateway (`npm run build`).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs', 'openapi.json');
const compiled = join(root, 'libs', 'gateway', 'dist', 'index.js');

function fail(message) {
  console.error(`openapi-page: ${message}`);
  process.exit(1);
}

const [option, ...more] = process.argv.slice(2);
if (more.length > 0 || (option !== undefined && option !== '--check')) fail('the only option is --check');
if (!existsSync(compiled)) fail(`${compiled} is not there: npm run build`);
const { openApiDocument } = await import(pathToFileURL(compiled).href);

const after = `${JSON.stringify(openApiDocument(), null, 2)}\n`;
if (option === undefined) writeFileSync(page, after);
else if (!existsSync(page) || readFileSync(page, 'utf8') !== after)
  fail('docs/openapi.json is not what the routes say: node tools/openapi-page.mjs');
