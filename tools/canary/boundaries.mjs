// Proves that the rules bite: every snippet is linted as if it lay in the repository and must be reported by the rule it
// breaks; clean snippets must not be reported. Before that, the workspace itself: the module-boundary rule skips itself
// and passes when there is no project graph, and says nothing about a project without a tag.
import devkit from '@nx/devkit';
import { ESLint } from 'eslint';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import tseslint from 'typescript-eslint';
import { projectFolders } from '../build.mjs';
import { layers } from '../eslint/layers.mjs';
import { snippets } from './snippets.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Builds the project graph (the lint rule reads the copy that this leaves) and answers what is wrong with it. */
async function checkGraph() {
  await devkit.createProjectGraphAsync({ exitOnError: false });
  const nodes = Object.values(devkit.readCachedProjectGraph().nodes);
  const problems = [];
  for (const folder of [...projectFolders(), 'e2e']) {
    if (!nodes.some((node) => node.data.root === folder)) problems.push(`${folder} is not a project of the graph`);
  }
  for (const { name, data } of nodes) {
    const own = (data.tags ?? []).filter((tag) => tag.startsWith('layer:')).map((tag) => tag.slice('layer:'.length));
    if (own.length !== 1 || !Object.hasOwn(layers, own[0])) {
      problems.push(
        `${name} has to carry exactly one tag layer:${Object.keys(layers).join('|')}, and carries [${own}]`,
      );
    }
    if (!existsSync(join(root, data.root))) problems.push(`${name}: ${data.root} does not exist`);
  }
  return { checked: nodes.length, problems };
}

function judge(snippet, messages) {
  const heard = messages.map(({ ruleId, message }) => `${ruleId}: ${message}`).join('\n    ') || 'nothing was reported';
  const fatal = messages.some((message) => message.fatal === true);
  if (fatal) return `the snippet could not be read: ${heard}`;
  if (snippet.rule === undefined) return messages.length === 0 ? undefined : `should be clean, but\n    ${heard}`;
  const reported = messages.some(
    ({ ruleId, severity, message }) =>
      ruleId === snippet.rule && severity === 2 && new RegExp(snippet.message).test(message),
  );
  return reported ? undefined : `${snippet.rule} ("… ${snippet.message} …") was not reported:\n    ${heard}`;
}

/** Answers how much was looked at (`checked`) and what is wrong (`problems`, one text each). */
export async function checkBoundaries() {
  const { checked, problems } = await checkGraph();
  const typed = new ESLint({ cwd: root });
  // The pretended files are in no program, so the rules that need types are left to the typed snippets.
  const untyped = new ESLint({
    cwd: root,
    overrideConfig: [
      {
        files: ['**/*.ts'],
        rules: tseslint.configs.disableTypeChecked.rules,
        languageOptions: { parserOptions: { projectService: false, project: false } },
      },
    ],
  });
  for (const snippet of snippets) {
    const eslint = snippet.typed ? typed : untyped;
    const [result] = await eslint.lintText(snippet.code, { filePath: join(root, snippet.path) });
    const problem = result === undefined ? 'the file is ignored' : judge(snippet, result.messages);
    if (problem !== undefined) problems.push(`${snippet.name} (${snippet.path}): ${problem}`);
  }
  return { checked: checked + snippets.length, problems };
}
