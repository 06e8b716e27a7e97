/**
 * Whether answers of operations that overlapped are those of some order of them, one after the other, in which none stands
 * before one that had ended when it began.
 */
export interface Operation<State> {
  readonly name: string;
  /** Moments of its begin and its end. */
  readonly from: number;
  readonly to: number;
  /** The state after it; `impossible` when in this state it would have answered something else. */
  readonly step: (state: State) => State | typeof impossible;
}

export const impossible = Symbol('impossible');

/** The states in which such an order can end, from one of these; none when there is no such order. */
export function endStates<State>(starts: Iterable<State>, operations: readonly Operation<State>[]): Set<State> {
  const ends = new Set<State>();
  const seen = new Set<string>();
  const states: State[] = [];
  const visit = (state: State, done: bigint, left: number): void => {
    let at = states.indexOf(state);
    if (at < 0) at = states.push(state) - 1;
    const place = `${at}/${done}`;
    if (seen.has(place)) return;
    seen.add(place);
    if (left === 0) {
      ends.add(state);
      return;
    }
    const open = operations.filter((_operation, index) => (done & (1n << BigInt(index))) === 0n);
    const firstEnd = Math.min(...open.map(({ to }) => to));
    for (const operation of open) {
      if (operation.from > firstEnd) continue;
      const next = operation.step(state);
      if (next !== impossible) visit(next, done | (1n << BigInt(operations.indexOf(operation))), left - 1);
    }
  };
  for (const state of starts) visit(state, 0n, operations.length);
  return ends;
}
