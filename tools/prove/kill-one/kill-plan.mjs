// Who is killed, in which order, and how: by name through the starter, which then leaves it down until it is started by
// name, or by a signal behind the starter's back, which then starts it again by itself.

function shuffled(list, random) {
  const left = [...list];
  return Array.from({ length: left.length }, () => left.splice(Math.floor(random() * left.length), 1)[0]);
}

const one = (list, random) => list[Math.floor(random() * list.length)];
const rounds = 3;

/** A process of each kind that fails in its own way; among them always a data node and the metadata service. */
function quickNames(names, random) {
  const some = (...patterns) => names.filter((name) => patterns.some((pattern) => pattern.test(name)));
  return [
    one(some(/^data-node-/), random),
    'metadata',
    one(some(/^api-/, /^load-balancer$/, /^data$/), random),
    one(some(/^iam$/, /^postgres$/, /^kafka$/), random),
  ];
}

/** @returns a list of { name, byName } */
export function killPlan({ names, size, random, only }) {
  if (only !== undefined) {
    const wanted = only.split(',');
    const unknown = wanted.filter((name) => !names.includes(name));
    if (unknown.length > 0) throw new Error(`no process ${unknown.join(', ')}: there are ${names.join(', ')}`);
    return wanted.map((name) => ({ name, byName: random() < 0.5 }));
  }
  if (size === 'quick')
    return shuffled(quickNames(names, random), random).map((name, at) => ({ name, byName: at % 2 === 0 }));
  return Array.from({ length: rounds }, () => shuffled(names, random))
    .flat()
    .map((name) => ({ name, byName: random() < 0.5 }));
}
