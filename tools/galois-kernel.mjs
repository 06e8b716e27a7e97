// `node tools/galois-kernel.mjs [--check]`: compiles the loops of the erasure code from AssemblyScript to WebAssembly with
// SIMD and puts them, as base64, where the library reads them. With --check nothing is written: exit 1 when the module in
// the repository is not what its source gives.
import asc from 'assemblyscript/asc';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const library = fileURLToPath(new URL('../libs/chunk-engine/erasure', import.meta.url));
const source = join(library, 'assembly', 'galois-kernel.as');
const embedded = join(library, 'src', 'galois-kernel-binary.ts');

const compiled = new Map();
const options = ['--runtime', 'stub', '-O3', '--noAssert', '--importMemory', '--enable', 'simd,relaxed-simd'];
const { error, stderr } = await asc.main(['galois-kernel.ts', '--outFile', 'galois-kernel.wasm', ...options], {
  readFile: (name) => (name === 'galois-kernel.ts' ? readFileSync(source, 'utf8') : null),
  writeFile: (name, content) => void compiled.set(name, Buffer.from(content)),
  listFiles: () => [],
});
if (error !== null) {
  console.error(`${stderr.toString()}${error.message}`);
  process.exit(1);
}

const text = `/** Made by tools/galois-kernel.mjs from assembly/galois-kernel.as: a WebAssembly module in base64. */
export const GALOIS_KERNEL_WASM =
  '${compiled.get('galois-kernel.wasm').toString('base64')}';
`;
if (!process.argv.includes('--check')) writeFileSync(embedded, text);
else if (readFileSync(embedded, 'utf8') !== text) {
  console.error('the kernel of the erasure code is not what its source gives: node tools/galois-kernel.mjs');
  process.exit(1);
}
