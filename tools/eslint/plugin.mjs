// The rules of this repository that no published plugin has. Each has a snippet in tools/canary that must be reported.
import { builtinModules } from 'node:module';
import { basename, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modeAware, packageBorders, plainLibraries, testFile } from './borders.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pathOf = (context) => relative(root, context.filename).replaceAll('\\', '/');
const packageOf = (source) =>
  source
    .split('/')
    .slice(0, source.startsWith('@') ? 2 : 1)
    .join('/');
const isBuiltin = (source) => source.startsWith('node:') || builtinModules.includes(source);

/** Calls `check(node, source)` for each way to name a module: import, export from, import(), require(). */
function onEveryImport(check) {
  const fromSource = (node) => node.source?.type === 'Literal' && check(node.source, String(node.source.value));
  return {
    ImportDeclaration: fromSource,
    ExportNamedDeclaration: fromSource,
    ExportAllDeclaration: fromSource,
    ImportExpression: fromSource,
    TSImportType: fromSource,
    'CallExpression[callee.name=/^(require|resolve)$/] > Literal.arguments': (node) => check(node, String(node.value)),
  };
}

const packageBordersRule = {
  meta: { type: 'problem', schema: [], messages: { border: "'{{name}}' may not be imported here: {{say}}." } },
  create(context) {
    const path = pathOf(context);
    return onEveryImport((node, source) => {
      if (/^\.(.*\/)?testing\//.test(source) && !testFile.test(path)) {
        context.report({ node, messageId: 'border', data: { name: source, say: 'fixtures are for tests' } });
      }
      if (source.startsWith('.') || isBuiltin(source)) return;
      const name = packageOf(source);
      const report = (say) => context.report({ node, messageId: 'border', data: { name, say } });
      const border = packageBorders.find((row) => row.packages.test(name));
      if (border !== undefined && !border.only.test(path) && !testFile.test(path)) return report(border.say);
      const plain = plainLibraries.find((row) => path.startsWith(row.folder));
      if (plain === undefined || testFile.test(path) || name.startsWith('@holdfast/')) return;
      if (!plain.packages.includes(name)) report(`${plain.folder} is plain TypeScript (tools/eslint/borders.mjs)`);
    });
  },
};

const deepImportRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { deep: "Import '{{name}}' through its index: a library's files are its own business." },
  },
  create(context) {
    return onEveryImport((node, source) => {
      const name = packageOf(source);
      if (source.startsWith('@holdfast/') && source !== name)
        context.report({ node, messageId: 'deep', data: { name } });
    });
  },
};

/** True when the node decides a branch: it stands in the condition of something. */
function decidesABranch(node) {
  for (let child = node, parent = node.parent; parent; child = parent, parent = parent.parent) {
    const isTest = parent.test === child || parent.discriminant === child;
    if (isTest || (parent.type === 'LogicalExpression' && parent.left === child)) return true;
    if (/(Statement|Declaration)$|Function/.test(parent.type)) return false;
  }
  return false;
}

const modeBranchRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { mode: 'Only apps and object-store know how the store is composed; pass the difference in as a port.' },
  },
  create(context) {
    if (modeAware.test(pathOf(context)) || testFile.test(pathOf(context))) return {};
    const check = (text) => (node) => {
      if (/standalone/i.test(text(node)) && decidesABranch(node)) context.report({ node, messageId: 'mode' });
    };
    return {
      Identifier: check((node) => node.name),
      PrivateIdentifier: check((node) => node.name),
      Literal: check((node) => String(node.value)),
      TemplateElement: check((node) => node.value.raw),
    };
  },
};

const exportAllRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { all: 'Name what is exported: `export *` hides where a name comes from.' },
  },
  create: (context) => ({ ExportAllDeclaration: (node) => context.report({ node, messageId: 'all' }) }),
};

const forwardRefRule = {
  meta: { type: 'problem', schema: [], messages: { ref: 'forwardRef hides a cycle: break it with a port.' } },
  create: (context) => ({ 'Identifier[name=forwardRef]': (node) => context.report({ node, messageId: 'ref' }) }),
};

const skippedTestRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { skip: 'A test runs, always and with the others: no skip, only, todo or failing.' },
  },
  create(context) {
    if (!testFile.test(pathOf(context))) return {};
    const report = (node) => context.report({ node, messageId: 'skip' });
    return {
      'MemberExpression[object.name=/^(it|test|describe)$/][property.name=/^(skip|only|todo|failing)$/]': report,
      'CallExpression > Identifier.callee[name=/^(xit|xtest|xdescribe|fit|fdescribe)$/]': report,
    };
  },
};

const suffixes = [
  ...['operation', 'port', 'service', 'repository', 'entity', 'migration', 'rpc-controller', 'http-controller'],
  ...['client', 'worker', 'config', 'codec', 'module', 'contract', 'integration', 'spec', 'fuzz', 'bench', 'e2e'],
];
const noun = '[a-z0-9]+(-[a-z0-9]+)*';
const goodName = new RegExp(`^${noun}(\\.(${suffixes.join('|')}))*(\\.d)?\\.ts$`);

const fileNameRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      name: "'{{file}}' is not kebab-case with a known suffix ({{suffixes}}).",
      drawer: "'{{file}}' says nothing: name the file after what is in it.",
    },
  },
  create: (context) => ({
    Program(node) {
      const file = basename(context.filename);
      const drawer = pathOf(context)
        .split('/')
        .some((part) => /^(utils?|helpers?|common|types|misc)(\.|$)/.test(part));
      if (drawer) context.report({ node, messageId: 'drawer', data: { file } });
      if (!goodName.test(file))
        context.report({ node, messageId: 'name', data: { file, suffixes: suffixes.join(' ') } });
    },
  }),
};

export const holdfast = {
  rules: {
    'package-borders': packageBordersRule,
    'no-deep-import': deepImportRule,
    'no-mode-branch': modeBranchRule,
    'no-export-all': exportAllRule,
    'no-forward-ref': forwardRefRule,
    'no-skipped-test': skippedTestRule,
    'file-name': fileNameRule,
  },
};
