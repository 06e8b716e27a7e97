// One configuration, four slices by file name: *.spec.ts (unit), *.contract.spec.ts, *.integration.spec.ts, e2e/*.e2e.ts.
const transform = {
  '^.+\\.ts$': [
    '@swc/jest',
    {
      jsc: {
        target: 'es2023',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
        keepClassNames: true,
      },
      module: { type: 'es6' },
      sourceMaps: 'inline',
    },
  ],
};
const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform,
  moduleNameMapper: {
    '^@holdfast/(erasure|extent-store)$': '<rootDir>/libs/chunk-engine/$1/src/index.ts',
    '^@holdfast/([a-z0-9-]+)$': '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['/dist/'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
};
const slice = (displayName, testMatch, extra = {}) => ({ ...base, displayName, testMatch, ...extra });
export default {
  projects: [
    slice('unit', ['<rootDir>/{libs,apps}/**/src/**/*.spec.ts'], {
      testPathIgnorePatterns: [...base.testPathIgnorePatterns, '\\.(contract|integration)\\.spec\\.ts$'],
    }),
    slice('contract', ['<rootDir>/{libs,apps}/**/src/**/*.contract.spec.ts']),
    slice('integration', ['<rootDir>/{libs,apps}/**/src/**/*.integration.spec.ts']),
    slice('e2e', ['<rootDir>/e2e/**/*.e2e.ts']),
  ],
};
