// Compiles TypeScript to ESM with swc, file by file, skipping what is already up to date.
// `node tools/build.mjs` builds every project; `node tools/build.mjs libs/stdx` builds one.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

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

function listSources(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

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

async function buildProject(folder, swc) {
  const source = join(root, folder, 'src');
  const target = join(root, folder, 'dist');
  if (!existsSync(source)) return 0;
  const stampFile = join(target, '.build.json');
  const stamps = existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, 'utf8')) : {};
  const next = {};
  let built = 0;
  for (const file of listSources(source)) {
    const name = relative(source, file);
    if (/\.(spec|fuzz|bench|e2e)\.ts$/.test(name)) continue;
    const isTypeScript = name.endsWith('.ts');
    const output = join(target, isTypeScript ? name.replace(/\.ts$/, '.js') : name);
    const content = readFileSync(file);
    const stamp = createHash('sha1').update(JSON.stringify(options)).update(content).digest('hex');
    next[name] = stamp;
    if (stamps[name] === stamp && existsSync(output)) continue;
    mkdirSync(dirname(output), { recursive: true });
    if (isTypeScript) {
      const { code, map } = await swc.transform(content.toString('utf8'), {
        ...options, filename: file, sourceFileName: relative(dirname(output), file), swcrc: false,
      });
      writeFileSync(`${output}.map`, map);
      writeFileSync(output, `${code}\n//# sourceMappingURL=${name.split('/').pop().replace(/\.ts$/, '.js')}.map\n`);
    } else {
      writeFileSync(output, content);
    }
    built += 1;
  }
  for (const name of Object.keys(stamps)) {
    if (!(name in next)) rmSync(join(target, name.replace(/\.ts$/, '.js')), { force: true });
  }
  mkdirSync(target, { recursive: true });
  writeFileSync(stampFile, JSON.stringify(next));
  return built;
}

export async function build(folders = projectFolders()) {
  const { default: swc } = await import('@swc/core');
  let built = 0;
  for (const folder of folders) built += await buildProject(folder, swc);
  return built;
}

if (process.argv[1] && statSync(process.argv[1]).ino === statSync(fileURLToPath(import.meta.url)).ino) {
  const started = Date.now();
  const built = await build(process.argv.length > 2 ? process.argv.slice(2).map((f) => f.replace(/\/$/, '')) : undefined);
  console.log(`built ${built} files in ${Date.now() - started} ms`);
}
