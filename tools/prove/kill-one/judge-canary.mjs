// Histories with a fault planted in them, and some without: the judge of the proof must see each, or the proof proves nothing.
import { absent, lateMs, Ledger } from './ledger.mjs';

const put = (content, startMs, endMs, outcome = 'acked') => ({ content, startMs, endMs, outcome });

/** What happened on one key, what is read of it in the end, and the first word of the verdict (undefined: it is right). */
const histories = [
  { name: 'never written', attempts: [], found: absent },
  { name: 'acknowledged', attempts: [put('a', 1, 2)], found: 'a' },
  { name: 'acknowledged, lost', attempts: [put('a', 1, 2)], found: absent, verdict: 'lost' },
  { name: 'acknowledged, half there', attempts: [put('a', 1, 2)], found: 'half of a', verdict: 'torn' },
  { name: 'overwritten', attempts: [put('a', 1, 2), put('b', 3, 4)], found: 'b' },
  { name: 'overwriting lost', attempts: [put('a', 1, 2), put('b', 3, 4)], found: 'a', verdict: 'stale' },
  { name: 'two at once, one', attempts: [put('a', 1, 4), put('b', 2, 3)], found: 'a' },
  { name: 'two at once, the other', attempts: [put('a', 1, 4), put('b', 2, 3)], found: 'b' },
  { name: 'two at once, none', attempts: [put('a', 1, 4), put('b', 2, 3)], found: absent, verdict: 'lost' },
  { name: 'open and absent', attempts: [put('a', 1, 2, 'unknown')], found: absent },
  { name: 'open and there', attempts: [put('a', 1, 2, 'unknown')], found: 'a' },
  { name: 'open and half there', attempts: [put('a', 1, 2, 'unknown')], found: 'half of a', verdict: 'torn' },
  { name: 'open over acked', attempts: [put('a', 1, 2), put('b', 3, 4, 'unknown')], found: 'a' },
  {
    name: 'open over acked, lost',
    attempts: [put('a', 1, 2), put('b', 3, 4, 'unknown')],
    found: absent,
    verdict: 'lost',
  },
  { name: 'open before acked comes late', attempts: [put('a', 1, 2, 'unknown'), put('b', 3, 4)], found: 'a' },
  { name: 'refused and absent', attempts: [put('a', 1, 2, 'refused')], found: absent },
  { name: 'refused and there', attempts: [put('a', 1, 2, 'refused')], found: 'a', verdict: 'refused' },
  { name: 'deleted', attempts: [put('a', 1, 2), put(absent, 3, 4)], found: absent },
  { name: 'deleted, there again', attempts: [put('a', 1, 2), put(absent, 3, 4)], found: 'a', verdict: 'resurrected' },
  { name: 'settled', attempts: [put('a', 1, 2), put('b', 3, 4, 'unknown')], settled: ['a', 5], found: 'b' },
  {
    name: 'settled long after',
    attempts: [put('a', 1, 2), put('b', 3, 4, 'unknown')],
    settled: ['a', 5 + lateMs],
    found: 'b',
    verdict: 'stale',
  },
];

/** @returns how many histories were judged and what the judge got wrong */
export function checkJudge() {
  const problems = [];
  for (const { name, attempts, settled, found, verdict } of histories) {
    const ledger = new Ledger();
    for (const { content, startMs, endMs, outcome } of attempts)
      ledger.end(ledger.begin('key', { content, sizeBytes: 1, atMs: startMs }), outcome, endMs);
    if (settled !== undefined) ledger.settle('key', ...settled);
    const said = ledger.judge('key', found)?.kind.split(':')[0];
    if (said !== verdict) problems.push(`the judge says ${said ?? 'right'}, not ${verdict ?? 'right'}, of: ${name}`);
  }
  return { checked: histories.length, problems };
}
