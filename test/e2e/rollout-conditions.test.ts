import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Api } from '../../src/controller/api.ts';
import { at, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { directiveKey } from '../../src/rewrite/directive.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';
import {
  atRest,
  becomes,
  controllerIn,
  definition,
  deployment,
  ingress,
  type Running,
  rollout,
  service,
} from './rollout-controller.ts';

const here = cluster();
const { client, kubectl, apply, namespace: newNamespace } = here;
const GROUP = 'conditions.e2e.example.com';
const KEY = directiveKey('web');

let start: Awaited<ReturnType<typeof controllerIn>>;
let running: Running;
let shop = '';

beforeAll(async () => {
  start = await controllerIn(here, await newNamespace());
  running = start();
  await running.controller.ready;
});

afterAll(async () => {
  await running?.close();
  await kubectl(['delete', 'crd', `wafs.${GROUP}`, '--ignore-not-found']);
  await kubectl(['delete', 'clusterrole', `sluice-gateways-wafs.${GROUP}`, '--ignore-not-found']);
});

beforeEach(async () => {
  shop = await newNamespace();
});

const is = (type: string, status: string, reason: string) => becomes(here, shop, type, status, reason);
const armed = async () =>
  stringAt(await client.get(RESOURCES.deployment, { namespace: shop, name: 'web' }), 'metadata', 'annotations', KEY);

async function ready(): Promise<void> {
  await apply(shop, deployment(), service(), ingress(), rollout());
  await is('Expressible', 'True', 'Expressible');
  await until('the Deployment to be armed', async () => (await armed()) !== undefined);
}

/** Seconds that something took. */
async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

test('a Rollout whose objects are there is ready: all conditions are true, phase and required fields are written', async () => {
  await ready();
  for (const type of ['Accepted', 'ResolvedRefs', 'ScriptsReady']) await is(type, 'True', type);
  const { status } = await client.get(RESOURCES.rollout, { namespace: shop, name: 'web' });
  expect(status).toMatchObject({
    phase: 'Healthy',
    observedGeneration: 1,
    currentStepIndex: 2,
    currentStepState: 'Completed',
  });
  const { metadata } = await client.get(RESOURCES.deployment, { namespace: shop, name: 'web' });
  expect(at(metadata, ['labels', 'rollouts.kruise.io/workload-type'])).toBe('deployment');
  const managers = JSON.stringify(at(metadata, ['managedFields']));
  expect(managers).toContain('"sluice-controller"');
});

describe('what is missing is told with its field, and forgotten soon after it appears', () => {
  test.each<[string, JsonMap, string, string]>([
    ['the workload', deployment(), 'WorkloadNotFound', 'spec.workloadRef: there is no Deployment web'],
    [
      'the Service',
      service(),
      'ServiceNotFound',
      'spec.strategy.canary.trafficRoutings[0].service: there is no Service web',
    ],
    [
      'the Ingress',
      ingress(),
      'ObjectNotFound',
      'spec.strategy.canary.trafficRoutings[0].ingress.name: there is no Ingress web',
    ],
  ])('%s', async (_, object, reason, message) => {
    const others = [deployment(), service(), ingress()].filter(({ kind }) => kind !== object['kind']);
    await apply(shop, ...others, rollout());
    expect(await is('ResolvedRefs', 'False', reason)).toContain(message);
    await is('Expressible', 'Unknown', 'Waiting');
    await apply(shop, object);
    expect(await seconds(() => is('Expressible', 'True', 'Expressible'))).toBeLessThan(3);
    await until('the Deployment to be armed', async () => (await armed()) !== undefined, 3);
  });
});

test('a kind that comes later is found; without rights the printed ClusterRole, applied as it is, mends it', async () => {
  const routing = { customNetworkRefs: [{ apiVersion: `${GROUP}/v1`, kind: 'Waf', name: 'web' }] };
  await apply(shop, deployment(), service(), rollout(routing));
  expect(await is('ResolvedRefs', 'False', 'KindNotServed')).toContain(
    `customNetworkRefs[0]: the cluster has no kind Waf of ${GROUP}`,
  );
  await apply(shop, definition(GROUP, 'Waf'));
  const message = await is('ResolvedRefs', 'False', 'MissingRights');
  const role = message.slice(message.indexOf('apiVersion: rbac'));
  succeeded(await kubectl(['apply', '-f', '-'], { stdin: role }));
  expect(await seconds(() => is('ResolvedRefs', 'False', 'ObjectNotFound'))).toBeLessThan(10);
  await apply(shop, { apiVersion: `${GROUP}/v1`, kind: 'Waf', metadata: { name: 'web' }, spec: {} });
  await is('ResolvedRefs', 'True', 'ResolvedRefs');
  expect(await is('ScriptsReady', 'False', 'ScriptNotFound')).toContain(`lua.traffic.routing.Waf.${GROUP}`);
});

test('an Ingress that does not lead to the stable Service cannot say what the steps ask for', async () => {
  await apply(shop, deployment(), service(), ingress('other'), rollout());
  expect(await is('Expressible', 'False', 'StepFails')).toContain('spec.strategy.canary.steps[0]: no rule of Ingress');
  await apply(shop, ingress());
  expect(await seconds(() => is('Expressible', 'True', 'Expressible'))).toBeLessThan(3);
});

test('of two Rollouts for one workload the later one is not accepted, until the first one goes', async () => {
  await ready();
  const late = { ...rollout(), metadata: { name: 'zz-late' } };
  await apply(shop, late);
  expect(await becomes(here, shop, 'Accepted', 'False', 'WorkloadTaken', 'zz-late')).toContain(`Rollout ${shop}/web`);
  succeeded(await kubectl(['delete', 'rollout', 'web', '-n', shop]));
  await becomes(here, shop, 'Accepted', 'True', 'Accepted', 'zz-late');
  await until('the directive of the first to go', async () => (await armed()) === undefined);
});

test('a workload is disarmed when its Rollout is disabled or deleted, and keeps a label that its owner also wrote', async () => {
  await ready();
  const label = { 'rollouts.kruise.io/workload-type': 'deployment' };
  await apply(shop, { ...deployment(), metadata: { name: 'web', labels: label } });
  await apply(shop, rollout(undefined, { disabled: true }));
  await until('the Deployment to be disarmed', async () => (await armed()) === undefined);
  const { metadata } = await client.get(RESOURCES.deployment, { namespace: shop, name: 'web' });
  expect(at(metadata, ['labels'])).toEqual(label);
  await apply(shop, deployment(), rollout());
  await until('the Deployment to be armed', async () => (await armed()) !== undefined);
  succeeded(await kubectl(['delete', 'rollout', 'web', '-n', shop]));
  await until('the Deployment to be disarmed', async () => (await armed()) === undefined);
});

test('a restarted controller finds what the first one left and writes nothing; what was deleted meanwhile is swept', async () => {
  await ready();
  await atRest(running);
  await running.close();
  running = start();
  await atRest(running);
  expect(running.writes).toEqual([]);
  expect(running.events).toEqual([]);
  await running.close();
  succeeded(await kubectl(['delete', 'rollout', 'web', '-n', shop]));
  running = start();
  await until('the Deployment to be disarmed', async () => (await armed()) === undefined);
});

test('with a foreign write before every second patch everything still comes to its end', async () => {
  await running.close();
  let count = 0;
  const disturbed = (api: Api): Api => ({
    get: (...args) => api.get(...args),
    listAll: (...args) => api.listAll(...args),
    create: (...args) => api.create(...args),
    delete: (...args) => api.delete(...args),
    async patch(resource, name, ...rest) {
      if (count++ % 2 === 0) {
        const body = { metadata: { annotations: { 'example.com/count': String(count) } } };
        await client.patch(resource, name, 'merge', body);
      }
      return api.patch(resource, name, ...rest);
    },
  });
  running = start({ around: disturbed });
  await ready();
  await atRest(running);
  expect(count).toBeGreaterThan(3);
  await running.close();
  running = start();
});
