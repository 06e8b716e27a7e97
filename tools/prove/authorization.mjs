// Every served operation, asked for by every kind of principal under every placement of policies, over HTTP: the gateway
// allows exactly what an independent oracle allows, and on a refusal no byte is read.
import { MissingDependency } from '../missing-dependency.mjs';
import { seededRandom } from './kill-one/bodies.mjs';
import { faults } from './authorization/faults.mjs';
import { arnOf, operations } from './authorization/operations.mjs';
import { placementsFor, principalsFor } from './authorization/principals.mjs';

export const description =
  'served operations x principals x policies over HTTP: no wrong allow, no wrong deny, nothing read on a refusal';

export const quickSeed = 1;

export const options = {
  plant: { type: 'string', hint: `${Object.keys(faults).join('|')}: puts that bug in, and the proof must then fail` },
};

/** Share of the cells that are asked for, and of those that each planted bug is held against. */
const shares = { quick: { cells: 0.06, canary: 0.02 }, full: { cells: 1, canary: 0.02 } };
const violationsShown = 20;

async function load() {
  try {
    const [{ Stack }, { oracleAllows }, { S3_OPERATIONS }] = await Promise.all([
      import('./authorization/stack.mjs'),
      import('../../libs/testkit/dist/policy-oracle.js'),
      import('@holdfast/s3-protocol'),
    ]);
    return { Stack, oracleAllows, operationTable: S3_OPERATIONS };
  } catch (error) {
    throw new MissingDependency(`the gateway cannot be put together: ${error.message}`, { cause: error });
  }
}

/** The table of the product and that of the proof name the same operations. */
function checkCoverage(operationTable) {
  const served = operationTable.filter(({ status }) => status === 'served').map(({ name }) => name);
  const without = served.filter((name) => operations[name] === undefined);
  const gone = Object.keys(operations).filter((name) => !served.includes(name));
  if (without.length > 0) throw new Error(`served without a cell here: ${without.join(', ')}`);
  if (gone.length > 0) throw new Error(`has cells and is not served: ${gone.join(', ')}`);
}

/** Every cell by its names alone; what it takes is made when it is asked for. */
function allCells() {
  const cells = [];
  for (const [operation, variants] of Object.entries(operations)) {
    for (const [variant, request] of variants.entries()) {
      const actions =
        request.needs.length === 0 ? ['s3:GetObject'] : [...new Set(request.needs.map((one) => one.action))];
      for (const principal of principalsFor(actions)) {
        const who = {
          arn: principal.kind === 'anonymous' ? '' : 'a',
          accountId: principal.kind === 'anonymous' ? '' : 'a',
        };
        const known = { ...who, ...(principal.session === undefined ? {} : { sessionArn: 's' }) };
        const placements = Object.entries(placementsFor(actions, 'b', known));
        for (const [placement, policy] of placements) {
          if (policy === undefined && placement !== 'none') continue;
          cells.push({ operation, variant, request, actions, principal, placement });
        }
      }
    }
  }
  return cells;
}

/** A share of the cells in a random order, but each operation, principal and placement at least once. */
function choose(cells, share, random) {
  const shuffled = cells
    .map((cell) => ({ cell, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ cell }) => cell);
  const seen = new Set();
  return shuffled.filter(({ operation, variant, principal, placement }, index) => {
    const traits = [`${operation}/${variant}`, principal.name, placement];
    const isNew = traits.some((trait) => !seen.has(trait));
    for (const trait of traits) seen.add(trait);
    return isNew || index < share * shuffled.length;
  });
}

class Matrix {
  #stack;
  #oracleAllows;
  #enrolled = new Map();
  #shared;
  #buckets = 0;

  constructor(stack, oracleAllows) {
    this.#stack = stack;
    this.#oracleAllows = oracleAllows;
  }

  /** Answers what is wrong with one cell. */
  async ask(cell) {
    const { request, actions, principal, placement } = cell;
    const who = await this.#enrol(cell);
    const name = await this.#bucket(request);
    const policy = placementsFor(actions, name, who)[placement];
    await this.#stack.setPolicy(name, policy);
    const expected = this.#expects(request, principal, who, policy, name);
    const { status, text, calls } = await this.#stack.send(request.method, request.path.replace('NAME', name), {
      token: who.token,
      body: request.bodyFor?.(name) ?? request.body,
      headers: Object.fromEntries(
        Object.entries(request.headers ?? {}).map(([header, value]) => [header, value.replace('NAME', name)]),
      ),
    });
    const allowed = request.eachKey === true && status === 200 ? text.includes('<Deleted>') : status !== 403;
    const wrong = [];
    if (status >= 500) wrong.push(`answered ${status}`);
    if (allowed && !expected) wrong.push(`wrong allow (${status})`);
    if (!allowed && expected) wrong.push(`wrong deny (${status})`);
    if (!expected && calls.some(({ port }) => port === 'data')) wrong.push('data was called on a refusal');
    const isDeniedAtOnce = principal.deniesAlways === true && request.needs.length > 0;
    if (isDeniedAtOnce && calls.some(({ port }) => port !== 'identity')) wrong.push('an explicit deny called metadata');
    return { expected, wrong };
  }

  #expects(request, { identity, boundary, session }, who, policy, bucket) {
    const isKept = request.rootKeeps === true && who.kind === 'root' && who.accountId === this.#stack.ownerAccountId;
    return request.needs.every((need) =>
      this.#oracleAllows({
        identity: identity === undefined ? [] : [identity],
        boundary,
        session: session === 'plain' ? undefined : session,
        resource: request.ownerFree === true || isKept ? undefined : policy,
        ownerAccountId: request.ownerFree === true ? who.accountId : this.#stack.ownerAccountId,
        principal: who,
        action: need.action,
        arn: arnOf(need, bucket),
        keys: { ...who.keys, 'aws:sourceip': ['127.0.0.1'] },
      }),
    );
  }

  #enrol({ operation, variant, principal }) {
    const name = `${operation}/${variant}/${principal.name}`;
    if (!this.#enrolled.has(name)) this.#enrolled.set(name, this.#stack.enrol(principal));
    return this.#enrolled.get(name);
  }

  /** What a request could change is made for it alone. */
  async #bucket({ changes }) {
    if (changes !== true && this.#shared !== undefined) return this.#shared;
    const name = `cell-${this.#buckets++}`;
    await this.#stack.makeBucket(name);
    if (changes !== true) this.#shared = name;
    return name;
  }
}

/** Each bug has to be seen in cells of its own run, or a matrix without violations says nothing. */
async function blindTo(stack, matrix, cells) {
  const blind = [];
  for (const [name, fault] of Object.entries(faults)) {
    await stack.listen(fault);
    let seen = 0;
    for (const cell of cells) if ((await matrix.ask(cell)).wrong.length > 0) seen += 1;
    if (seen === 0) blind.push(name);
  }
  await stack.listen();
  return blind;
}

export async function run({ size, seed, log, signal, options: given }) {
  if (given.plant !== undefined && faults[given.plant] === undefined)
    throw new Error(`--plant is ${Object.keys(faults).join(' or ')}, not '${given.plant}'`);
  const { Stack, oracleAllows, operationTable } = await load();
  checkCoverage(operationTable);
  const random = seededRandom(seed);
  const everyCell = allCells();
  const cells = choose(everyCell, shares[size].cells, random);
  const stack = await Stack.start();
  const counts = { allows: 0, denies: 0 };
  const violations = [];
  try {
    const matrix = new Matrix(stack, oracleAllows);
    if (given.plant !== undefined) await stack.listen(faults[given.plant]);
    for (const cell of cells) {
      if (signal.aborted) break;
      const { expected, wrong } = await matrix.ask(cell);
      counts[expected ? 'allows' : 'denies'] += 1;
      const name = `${cell.operation}[${cell.variant}] by ${cell.principal.name}, bucket policy: ${cell.placement}`;
      for (const problem of wrong) violations.push(`${name}: ${problem}`);
    }
    for (const violation of violations.slice(0, violationsShown)) log(violation);
    const isWhole = given.plant === undefined && violations.length === 0 && !signal.aborted;
    const blind = isWhole ? await blindTo(stack, matrix, choose(everyCell, shares[size].canary, random)) : [];
    for (const name of blind) log(`a planted bug was not seen: ${name}`);
    return {
      ...{ trials: cells.length, failures: violations.length + blind.length, ...counts },
      ...{ operations: Object.keys(operations).length, possibleCells: everyCell.length },
      ...(isWhole ? { plantedBugsSeen: Object.keys(faults).length - blind.length } : {}),
    };
  } finally {
    await stack.stop();
  }
}
