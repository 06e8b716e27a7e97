// A build of the chunk engine with its test devices, which no service ships, and where wanted with a planted bug. It lies
// below node_modules, so that packages of the workspace are found from it, and is removed after use.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MissingDependency } from '../../missing-dependency.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const source = join(root, 'libs/chunk-engine/extent-store/src');
const notNeeded = /\.(spec|bench|fuzz)\.ts$/;

const options = {
  jsc: { target: 'es2023', parser: { syntax: 'typescript' }, keepClassNames: true },
  module: { type: 'es6' },
  sourceMaps: 'inline',
  swcrc: false,
};

function planted(name, text, bug) {
  if (bug === undefined || bug.file !== name) return text;
  const parts = text.split(bug.find);
  if (parts.length !== 2) throw new Error(`bug '${bug.name}': its place is found ${parts.length - 1} times in ${name}`);
  return parts.join(bug.replace);
}

/** Runs `work` with a function that imports a module of the build by its path below src, such as 'testing/trials', and its folder. */
export async function withEngineBuild(work, bug) {
  const { transformSync } = await import('@swc/core').catch((cause) => {
    throw new MissingDependency(`the compiler is not installed: ${cause.message}`, { cause });
  });
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'engine-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name);
      const name = relative(source, file);
      if (!entry.isFile() || !name.endsWith('.ts') || notNeeded.test(name)) continue;
      const text = planted(name, readFileSync(file, 'utf8'), bug);
      const target = join(folder, name.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, transformSync(text, { ...options, filename: file }).code);
    }
    return await work((path) => import(pathToFileURL(join(folder, `${path}.js`)).href), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
