/**
 * The layers: a project carries exactly one tag `layer:NAME`, and imports only projects of the layers listed for it.
 * Reading it: two features never meet; a port's two sides are known to wiring (remote adapters), composition
 * (object-store) and apps alone; what starts Postgres and Kafka on this machine is for apps and tests.
 */
export const layers = {
  base: [],
  contracts: ['base'],
  core: ['base', 'contracts'],
  engine: ['base', 'contracts', 'engine'],
  platform: ['base', 'contracts'],
  machine: ['base'],
  feature: ['base', 'contracts', 'core', 'engine', 'platform'],
  wiring: ['base', 'contracts', 'platform'],
  composition: ['base', 'contracts', 'core', 'feature', 'wiring', 'platform'],
  app: ['base', 'contracts', 'core', 'feature', 'wiring', 'platform', 'composition', 'machine'],
  test: ['base', 'contracts', 'core', 'machine'],
  e2e: ['base', 'contracts', 'core', 'feature', 'wiring', 'platform', 'composition', 'machine'],
  root: [],
};
