// What was asked of the store and what it answered, and from that which bodies a key may have. It lives in the process of
// the proof: nothing of it can be lost with a process of the store.
//
// An attempt is a PUT, a completed multipart upload or a DELETE of one key (a DELETE leaves the content `absent`):
//   pending   no answer yet          acked     answered 200: it has happened, between its start and its end
//   refused   4xx or never sent: it   unknown   503, a broken connection: it may happen or not,
//             has not happened                  but wholly
// A key may have the content of
//   - an acked attempt, unless another acked one began after that one had ended;
//   - an attempt of unknown outcome, unless it ended longer ago than `lateMs` and has been seen not to be there.
// Every key begins as absent.

/** The content of a key that is not there. */
export const absent = 'absent';
/** How long after its end an attempt of unknown outcome may still take effect in the store. */
export const lateMs = 60_000;

export class Ledger {
  #keys = new Map();
  #nextId = 0;

  #of(key) {
    let kept = this.#keys.get(key);
    if (kept === undefined) {
      const beginning = { id: -1, key, content: absent, sizeBytes: 0, startMs: -1, endMs: -1, outcome: 'acked' };
      kept = { attempts: [beginning], everContents: new Map([[absent, beginning]]), changed: true };
      this.#keys.set(key, kept);
    }
    return kept;
  }

  /** @param content SHA-256 of the body in hex, or `absent` @returns the attempt, to be given to `end` */
  begin(key, { content, sizeBytes, atMs, kind = 'put', recipe }) {
    const attempt = { id: this.#nextId++, key, kind, content, sizeBytes, recipe, startMs: atMs, outcome: 'pending' };
    const kept = this.#of(key);
    kept.attempts.push(attempt);
    kept.everContents.set(content, attempt);
    kept.changed = true;
    return attempt;
  }

  end(attempt, outcome, atMs) {
    attempt.outcome = outcome;
    attempt.endMs = atMs;
    const kept = this.#of(attempt.key);
    kept.changed = true;
    if (outcome === 'refused') kept.attempts = kept.attempts.filter((one) => one !== attempt);
  }

  keys() {
    return [...this.#keys.keys()];
  }

  /** Keys that something was attempted on since their content was last settled. */
  changedKeys() {
    return this.keys().filter((key) => this.#keys.get(key).changed);
  }

  /** Attempts whose content the key may have now. */
  allowed(key) {
    const { attempts } = this.#of(key);
    const acked = attempts.filter((one) => one.outcome === 'acked');
    const overwritten = (one) => acked.some((later) => later.startMs > one.endMs);
    return attempts.filter((one) => one.outcome !== 'acked' || !overwritten(one));
  }

  /** Whether an attempt on the key is under way or has an unknown outcome. */
  isOpen(key) {
    return this.#of(key).attempts.some((one) => one.outcome !== 'acked');
  }

  /** Every attempt ever made on a key, by its content: to say what a wrong content is. */
  everAttempted(key) {
    return this.#of(key).everContents;
  }

  /** @returns undefined when the key may have this content, else { kind, key, found, allowed } */
  judge(key, content) {
    const allowed = this.allowed(key);
    if (allowed.some((one) => one.content === content)) return undefined;
    const known = this.everAttempted(key).get(content);
    const kinds = [
      [content === absent, 'lost: it was acknowledged and is not there'],
      [known === undefined, 'torn: no such body was ever sent'],
      [known?.outcome === 'refused', 'refused: this body was not accepted'],
      [allowed.every((one) => one.content === absent), 'resurrected: it was deleted and is there again'],
      [true, 'stale: a body that was overwritten by an acknowledged one'],
    ];
    const [, kind] = kinds.find(([applies]) => applies);
    return { kind, key, found: content, allowed: allowed.map((one) => one.content) };
  }

  /**
   * The key was read, with no attempt under way, and has this content: from now on this is what it has, right or wrong (a
   * wrong one is reported once). What had an unknown outcome a short time ago may still come.
   */
  settle(key, content, atMs) {
    const kept = this.#of(key);
    if (kept.attempts.some((one) => one.outcome === 'pending')) return;
    const seen = kept.everContents.get(content) ?? { id: -1, key, content, sizeBytes: 0 };
    const still = (one) => one.outcome === 'unknown' && one !== seen && atMs - one.endMs < lateMs;
    const settled = { ...seen, outcome: 'acked', startMs: atMs, endMs: atMs };
    kept.attempts = [settled, ...kept.attempts.filter(still)];
    kept.everContents.set(content, settled);
    kept.changed = false;
  }
}
