import { MissingDependency } from '../missing-dependency.mjs';

export const description = 'each lint rule of the architecture reports the snippet that breaks it, and no clean one';

export async function run({ log }) {
  const { checkBoundaries } = await import('../canary/boundaries.mjs').catch((error) => {
    throw new MissingDependency(`the linter is not installed: ${error.message}`, { cause: error });
  });
  const { checked, problems } = await checkBoundaries();
  for (const problem of problems) log(problem);
  return { trials: checked, failures: problems.length };
}
