// `npm run bench -- NAME`: figures. A module's run answers { rows, ... }; rows (objects of the same keys) are printed as
// a table. No rows, an error or a missing dependency end with exit 1.
import { fileURLToPath } from 'node:url';
import { openDoor } from '../evidence-door.mjs';

function judge(answered) {
  const facts = { ...answered };
  if (facts.error !== undefined) return { facts, refusal: facts.error };
  if (!Array.isArray(facts.rows) || facts.rows.length === 0) return { facts, refusal: 'nothing was measured' };
  return { facts, refusal: undefined };
}

await openDoor({ folder: fileURLToPath(new URL('.', import.meta.url)), judge });
