import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { containerPlan, plannedSets } from './cluster-plan.js';

const docker = new URL('../../../docker/', import.meta.url);
const compose = readFileSync(new URL('compose.yaml', docker), 'utf8');
const dockerfile = readFileSync(new URL('Dockerfile', docker), 'utf8');
const plan = containerPlan('/var/lib/holdfast/nodes');

/** The lines of one service of compose.yaml; what it takes from an anchor is not among them. */
function service(name: string): string {
  const [, text] = new RegExp(`\\n  ${name}:\\n((?: {4}.*\\n|\\n)*)`).exec(compose) ?? [];
  if (text === undefined) throw new Error(`compose.yaml has no service ${name}`);
  return text;
}

describe('the plan of a cluster in containers and docker/compose.yaml', () => {
  it('have the same processes', () => {
    const services = compose.slice(compose.indexOf('\nservices:\n'));
    const started = [...services.matchAll(/^ {2}([a-z0-9-]+):\n {4}<<:/gm)].map((match) => match[1]);
    expect(started.sort()).toEqual([...Object.keys(plan.ports), 'prepare', 'postgres', 'kafka'].sort());
  });

  it('have the same addresses', () => {
    const { iam, metadata, data } = plan.ports;
    const apis = ['api-1', 'api-2'].map((name) => ({ name, ...plan.ports[name] }));
    expect(compose).toContain(`HOLDFAST_IAM_ADDRESS: iam:${iam.rpc}\n`);
    expect(compose).toContain(`HOLDFAST_METADATA_ADDRESS: metadata:${metadata.rpc}\n`);
    expect(compose).toContain(`HOLDFAST_DATA_ADDRESS: data:${data.http}\n`);
    expect(service('load-balancer')).toContain(
      `HOLDFAST_APIS: ${apis.map((api) => `${api.name}:${api.s3}`).join(',')}\n`,
    );
    expect(service('load-balancer')).toContain(
      `HOLDFAST_ADMIN_APIS: ${apis.map((api) => `${api.name}:${api.admin}`).join(',')}\n`,
    );
  });

  it('look for health where each process answers', () => {
    for (const name of ['iam', 'metadata', 'data', 'load-balancer'])
      expect(service(name)).toContain(`*ready, '${plan.ports[name].http}']`);
    for (const port of [plan.ports['api-1'].http, plan.ports['data-node-6'].http])
      expect(compose).toContain(`*ready, '${port}']`);
  });

  it('give each data node a volume of its own, where its devices are made', () => {
    for (const node of plan.nodes) {
      const folder = `/var/lib/holdfast/nodes/${node.name}`;
      expect(node.devices.every((device) => device.path.startsWith(`${folder}/`))).toBe(true);
      for (const name of [node.name, 'prepare']) expect(service(name)).toContain(`${node.name}:${folder}`);
      expect(service(node.name)).toContain(`/run/holdfast/cluster/${node.name}.devices.json`);
    }
  });

  it('reach each data node by its name: two sets of three nodes with two controllers', () => {
    const nodes = plannedSets(plan).map((set) => set.nodes);
    expect(nodes.map((set) => set.map((node) => node.address))).toEqual([
      ['data-node-1:7400', 'data-node-2:7400', 'data-node-3:7400'],
      ['data-node-4:7400', 'data-node-5:7400', 'data-node-6:7400'],
    ]);
    expect(nodes.flat().every((node) => node.controllers.length === 2)).toBe(true);
  });

  it('hold no secret and run nothing as root', () => {
    const named = compose.split('\n').filter((line) => /^\s+[A-Z_]*(SECRET|PASSWORD|URL)[A-Z_]*:/.test(line));
    expect(named.length).toBeGreaterThan(4);
    for (const line of named) expect(line).toMatch(/(_FILE: \/run\/holdfast\/\S+|: \$\{[A-Z_]+:-\})$/);
    expect(dockerfile.match(/^USER 10001:10001$/gm)?.length).toBe(2);
    expect(service('postgres')).toContain("user: '10001:10001'");
  });

  it('build from the same base images', () => {
    for (const [, name, image] of dockerfile.matchAll(/^ARG (\w+)=(\S+)$/gm))
      expect(compose).toContain(`${name}: \${${name}:-${image}}`);
  });
});
