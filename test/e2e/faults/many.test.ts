import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { createMany, progress } from './many.ts';
import { leader, leaseTransitions, signalPods } from './processes.ts';
import { answered } from './requests.ts';

/** Where the chart is installed. */
const NAMESPACE = 'sluice-system';
const COUNT = 1000;
/** Writes that a leader may have sent before it was killed and whose answers its successor had not seen. */
const REPEATED = 50;

const server = cluster();
let sluice: Installed;
let namespace = '';

beforeAll(async () => {
  const crds = ['apply', '--server-side', '--force-conflicts', '-f', join('chart', 'files', 'crds')];
  succeeded(await server.kubectl(crds));
  namespace = await server.namespace();
  await createMany(server, namespace, COUNT);
}, 300_000);
afterAll(() => sluice?.uninstall());

const statuses = () => answered(server, { verb: 'PATCH', resource: 'rollouts', subresource: 'status' });
const deployments = () => answered(server, { verb: 'PATCH', resource: 'deployments' });

test(`${COUNT} Rollouts wait for the controller; its leader is killed amid them, and the end is the same`, async () => {
  const before = { statuses: await statuses(), deployments: await deployments() };
  const start = performance.now();
  const since = () => ((performance.now() - start) / 1000).toFixed(1);
  const installing = installSluice(server);
  const seen = await until(
    'a part to be judged',
    async () => {
      const { judged } = await progress(server, namespace);
      return judged > COUNT / 10 && judged;
    },
    90,
  );
  const transitions = await leaseTransitions(server, NAMESPACE);
  signalPods([await leader(server, NAMESPACE)], 'SIGKILL');
  process.stderr.write(`leader killed after ${since()} s, ${seen} of ${COUNT} were judged\n`);
  sluice = await installing;
  await until(
    'all to be judged and armed',
    async () => {
      const { judged, armed } = await progress(server, namespace);
      return judged === COUNT && armed === COUNT;
    },
    240,
  );
  process.stderr.write(`all judged and armed after ${since()} s\n`);
  expect(seen).toBeLessThan(COUNT);
  expect(await leaseTransitions(server, sluice.namespace)).toBe(transitions + 1);
  let [last, still] = [-1, 0];
  await until('no more writes', async () => {
    const now = (await statuses()) + (await deployments());
    still = now === last ? still + 1 : 0;
    last = now;
    return still >= 10;
  });
  const written = {
    statuses: (await statuses()) - before.statuses,
    deployments: (await deployments()) - before.deployments,
  };
  process.stderr.write(`writes: ${JSON.stringify(written)}\n`);
  expect(written.deployments).toBeGreaterThanOrEqual(COUNT);
  expect(written.deployments).toBeLessThanOrEqual(COUNT + REPEATED);
  expect(written.statuses).toBeGreaterThanOrEqual(COUNT);
  expect(written.statuses).toBeLessThanOrEqual(COUNT + REPEATED);
}, 300_000);
