// `npm run prove -- NAME`: evidence by trials. A module's run answers { trials, failures, ... }; success is at least one
// trial and no failure. Everything else, a missing dependency included, ends with exit 1.
import { fileURLToPath } from 'node:url';
import { openDoor } from '../evidence-door.mjs';

const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

function judge(answered) {
  const facts = { trials: 0, failures: 0, ...answered };
  if (!isCount(facts.trials) || !isCount(facts.failures))
    return { facts, refusal: 'trials and failures are not counts' };
  if (facts.error !== undefined) return { facts, refusal: facts.error };
  if (facts.trials === 0) return { facts, refusal: 'no trial was made' };
  if (facts.failures > 0) return { facts, refusal: `${facts.failures} of ${facts.trials} trials failed` };
  return { facts, refusal: undefined };
}

await openDoor({ folder: fileURLToPath(new URL('.', import.meta.url)), judge });
