import { checkBoundaries } from './boundaries.mjs';

const { checked, problems } = await checkBoundaries();
for (const problem of problems) console.error(problem);
console.log(`boundaries: ${checked} projects and snippets checked, ${problems.length} problems`);
process.exit(problems.length === 0 && checked > 0 ? 0 : 1);
