import { afterAll, beforeAll, expect, test } from 'vitest';
import { at, type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { openShop, routing, VIRTUAL_SERVICE } from './shop.ts';

const server = cluster();
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
});
afterAll(async () => {
  await sluice?.uninstall();
});
afterAll(() => expectNoTakenFields(server.client));

const GRAY: JsonMap = {
  apiVersion: 'rollouts.kruise.io/v1alpha1',
  kind: 'TrafficRouting',
  metadata: { name: 'gray' },
  spec: { objectRef: [routing], strategy: { matches: [{ headers: [{ name: 'tester', value: 'yes' }] }] } },
};
const STRATEGY: JsonMap = { canary: { steps: [{ replicas: '25%', pause: {} }, { replicas: '100%' }] } };

test('a release uses a TrafficRouting as long as it lasts, and nobody’s finalizer is on it', async () => {
  const { client, kubectl } = server;
  const annotations = { 'rollouts.kruise.io/trafficrouting': 'gray' };
  const namespace = await server.namespace();
  await server.apply(namespace, GRAY);
  const shop = await openShop(server, { strategy: STRATEGY, annotations, namespace });
  const read = () => client.get(RESOURCES.trafficRouting, { namespace, name: 'gray' });
  const phase = (wanted: string) =>
    until(`the phase ${wanted}`, async () => stringAt(await read(), 'status', 'phase') === wanted);
  const http = async () => at(await client.get(VIRTUAL_SERVICE, { namespace, name: 'web' }), ['spec', 'http']);
  const before = (await http()) as Json[];
  await phase('Healthy');
  await shop.release('v2');
  await shop.reaches(1, 'StepPaused');
  const [api, web] = before;
  expect(await http()).toEqual([
    api,
    {
      name: 'web-canary',
      match: [{ headers: { tester: { exact: 'yes' } } }],
      route: [{ destination: { host: 'web', subset: 'canary' } }],
    },
    web,
  ]);
  await phase('Progressing');
  expect(at(await read(), ['metadata', 'finalizers'])).toBeUndefined();
  await shop.release('v1');
  await shop.ends('Rollback', 60);
  expect(await http()).toEqual(before);
  await phase('Healthy');
  expect(JSON.stringify(member(await read(), 'metadata'))).not.toContain('hold.sluice.dev');
  succeeded(await kubectl(['delete', 'trafficrouting', 'gray', '-n', namespace, '--timeout=10s']));
});
