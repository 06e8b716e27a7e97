// Compiles TypeScript to ESM with swc, file by file, skipping what is already up to date.
// `node tools/build.mjs` builds every project; `node tools/build.mjs libs/stdx` builds one.
// Each dist folder holds .build.json: source name -> hash of the compiler options and the source. Nothing is written
// when nothing changed, so a checkout that belongs to another user can still be started.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const notShipped = /(^|\/)testing\/|\.(spec|fuzz|bench|e2e)\.ts$/;

const options = {
  sourceMaps: true,
  jsc: {
    target: 'es2023',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
  },
  module: { type: 'es6' },
};

/** Folders (relative to the root) of every workspace project. */
export function projectFolders() {
  const found = [];
  for (const parent of ['libs', 'libs/chunk-engine', 'apps']) {
    for (const name of readdirSync(join(root, parent))) {
      if (existsSync(join(root, parent, name, 'package.json'))) found.push(`${parent}/${name}`);
    }
  }
  return found;
}

/** Of a folder that is gone the output goes too. */
function listSources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

const outputName = (name) => (name.endsWith('.ts') ? name.replace(/\.ts$/, '.js') : name);

/** Readers see the old file or the new one, never half of one: another starter may be running. */
function replaceFile(path, content) {
  const draft = `${path}.${process.pid}.draft`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(draft, content);
  renameSync(draft, path);
}

function readStamps(stampFile) {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return {};
  }
}

async function compile(file, output, content) {
  // Loaded on first need: a start with nothing to build does not pay for the compiler.
  const { default: swc } = await import('@swc/core');
  const { code, map } = await swc.transform(content.toString('utf8'), {
    ...options,
    filename: file,
    sourceFileName: relative(dirname(output), file),
    swcrc: false,
  });
  replaceFile(`${output}.map`, map);
  replaceFile(output, `${code}\n//# sourceMappingURL=${output.split('/').pop()}.map\n`);
}

async function buildProject(folder) {
  const source = join(root, folder, 'src');
  const target = join(root, folder, 'dist');
  const stampFile = join(target, '.build.json');
  const stamps = readStamps(stampFile);
  const next = {};
  const work = [];
  for (const file of listSources(source)) {
    const name = relative(source, file);
    if (notShipped.test(name)) continue;
    const output = join(target, outputName(name));
    const content = readFileSync(file);
    next[name] = createHash('sha1').update(JSON.stringify(options)).update(content).digest('hex');
    if (stamps[name] === next[name] && existsSync(output)) continue;
    work.push(name.endsWith('.ts') ? compile(file, output, content) : replaceFile(output, content));
  }
  await Promise.all(work);
  const gone = Object.keys(stamps).filter((name) => !(name in next));
  for (const name of gone) {
    const output = join(target, outputName(name));
    rmSync(output, { force: true });
    rmSync(`${output}.map`, { force: true });
  }
  if (work.length > 0 || gone.length > 0) replaceFile(stampFile, JSON.stringify(next));
  return work.length;
}

/** Compiles what changed in the given project folders (all by default) and answers the number of files written. */
export async function build(folders = projectFolders()) {
  let built = 0;
  for (const folder of folders) built += await buildProject(folder);
  return built;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const startedAt = Date.now();
  const named = process.argv.slice(2).map((folder) => folder.replace(/\/$/, ''));
  const built = await build(named.length > 0 ? named : undefined);
  console.log(`built ${built} files in ${Date.now() - startedAt} ms`);
}
