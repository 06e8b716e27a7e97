// One flat configuration for the whole repository. Rules of our own: tools/eslint. That each rule bites is proved by
// tools/canary, which must be reported snippet by snippet (`nx run holdfast:boundaries`).
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';
import { holdfast } from './tools/eslint/plugin.mjs';
import { layers } from './tools/eslint/layers.mjs';

const testFiles = [
  '**/*.spec.ts',
  '**/*.fuzz.ts',
  '**/*.bench.ts',
  '**/src/**/testing/**/*.ts',
  'e2e/**/*.ts',
  'libs/testkit/**/*.ts',
];

const depConstraints = (extra) =>
  Object.entries(layers).map(([layer, below]) => ({
    sourceTag: `layer:${layer}`,
    onlyDependOnLibsWithTags: [...below, ...extra].map((name) => `layer:${name}`),
  }));

/** The layers of tools/eslint/layers.mjs; `extra` layers are open to the files at hand. */
const moduleBoundaries = (extra) => [
  'error',
  {
    allow: [],
    enforceBuildableLibDependency: false,
    // Contract suites of the testkit are loaded by the tests of what the testkit is built on.
    ignoredCircularDependencies: [['@holdfast/testkit', '*']],
    depConstraints: depConstraints(extra),
  },
];

const nodeGlobals = Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, 'readonly']));

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', 'coverage/**', 'data/**'] },
  { linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    plugins: { '@nx': nx, holdfast },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@nx/enforce-module-boundaries': moduleBoundaries([]),
      'holdfast/package-borders': 'error',
      'holdfast/no-deep-import': 'error',
      'holdfast/no-mode-branch': 'error',
      'holdfast/no-export-all': 'error',
      'holdfast/no-forward-ref': 'error',
      'holdfast/no-skipped-test': 'error',
      'holdfast/file-name': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // A class may be needed at run time as a Nest token through decorator metadata: a type-only import would lose it.
      '@typescript-eslint/consistent-type-imports': 'off',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      eqeqeq: 'error',
    },
  },
  {
    files: testFiles,
    rules: {
      '@nx/enforce-module-boundaries': moduleBoundaries(['test', 'machine']),
      'max-lines': 'off',
      'max-lines-per-function': 'off',
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: nodeGlobals },
    rules: {
      'no-undef': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-var': 'error',
      'prefer-const': 'error',
      eqeqeq: 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    },
  },
);
