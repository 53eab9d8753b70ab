import { expect, test } from 'vitest';
import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { at, type JsonMap } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { opened } from './opened.ts';

const steps: JsonMap[] = [{ traffic: '20%', replicas: '20%', pause: {} }, { replicas: '100%' }];
const CANARY = { namespace: 'shop', name: 'web-canary' };

const ingress = (path = '/'): JsonMap => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { namespace: 'shop', name: 'web' },
  spec: {
    ingressClassName: 'nginx',
    rules: [
      {
        host: 'shop.example.com',
        http: { paths: [{ path, pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] },
      },
    ],
  },
});

test('a canary Ingress is made for the new version, follows its stable one at once, and goes when traffic is back', async () => {
  const routing = { service: 'web', gracePeriodSeconds: 3, ingress: { name: 'web', classType: 'nginx' } };
  const world = await opened({
    strategy: { canary: { steps, trafficRoutings: [routing] } },
    objects: [ingress()],
  });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  const made = world.cluster.read(RESOURCES.ingress, CANARY);
  expect(at(made, ['metadata', 'annotations'])).toMatchObject({
    'nginx.ingress.kubernetes.io/canary': 'true',
    'nginx.ingress.kubernetes.io/canary-weight': '20',
  });
  expect(at(made, ['spec', 'rules', 0, 'http', 'paths', 0, 'backend', 'service', 'name'])).toBe('web-canary');
  world.cluster.apply(ingress('/new'));
  await world.pass(1);
  expect(at(world.cluster.read(RESOURCES.ingress, CANARY), ['spec', 'rules', 0, 'http', 'paths', 0, 'path'])).toBe(
    '/new',
  );
  expect(JSON.stringify(world.cluster.read(RESOURCES.ingress, { ...CANARY, name: 'web' }))).not.toContain(
    'directive.sluice.dev',
  );
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.cluster.list(RESOURCES.ingress, 'shop')).toHaveLength(1);
  expect(world.ready()).toEqual({ v2: 10 });
});

test('an Ingress of somebody else under the name of the canary Ingress is never touched: the release waits and says so', async () => {
  const foreign = { ...ingress(), metadata: CANARY };
  const routing = { service: 'web', gracePeriodSeconds: 3, ingress: { name: 'web', classType: 'nginx' } };
  const world = await opened({
    strategy: { canary: { steps, trafficRoutings: [routing] } },
    objects: [ingress(), foreign],
  });
  const before = world.cluster.read(RESOURCES.ingress, CANARY);
  world.release('v2');
  await world.pass(90);
  expect(world.cluster.read(RESOURCES.ingress, CANARY)).toEqual(before);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(world.status()['message']).toContain("Ingress shop/web-canary exists and is not Sluice's");
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.ready()).toEqual({ v1: 10 });
});

const service = (name: string, spec: JsonMap): JsonMap => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'shop', name },
  spec: { ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }], ...spec },
});

test.each<[string, JsonMap[], string]>([
  [
    'a canary Service that is somebody else’s',
    [service('web-canary', { selector: { app: 'x' } })],
    "exists and is not Sluice's",
  ],
  ['a Service without a selector', [service('web', { selector: null })], 'has no selector'],
])('%s keeps a release from beginning, and nothing is changed', async (_, objects, message) => {
  const world = await opened({ strategy: strategyOf(), objects });
  world.release('v2');
  await world.pass(60);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(world.status()['message']).toContain(message);
  for (const object of objects) {
    const name = String(at(object, ['metadata', 'name']));
    expect(JSON.stringify(world.cluster.read(RESOURCES.service, { namespace: 'shop', name }))).not.toContain(
      'sluice.dev/web',
    );
  }
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
});

test('a Service that leads to pods of another workload, too, keeps a release from beginning', async () => {
  const other: JsonMap = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: 'shop', name: 'other' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web', part: 'other' } },
      template: {
        metadata: { labels: { app: 'web', part: 'other' } },
        spec: { containers: [{ name: 'x', image: 'x:v0' }] },
      },
    },
  };
  const world = await opened({ strategy: strategyOf(), objects: [other] });
  world.release('v2');
  await world.pass(60);
  expect(world.status()['message']).toContain('leads to pods of other workloads');
  expect(world.ready()['v2']).toBeUndefined();
});

test('where the webhook is not asked, the controller writes what it would have made of each write', async () => {
  const world = await opened({ strategy: strategyOf() });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.cluster.webhook = 'fails open';
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.ready()).toEqual({ v2: 10 });
  expect(world.weights()).toEqual({ web: 100 });
  const spec = world.cluster.read(RESOURCES.deployment, { namespace: 'shop', name: 'web' })['spec'] as JsonMap;
  expect(spec['minReadySeconds'] ?? 0).toBe(0);
});

test('what is changed past the webhook in a pause is put right, and an edit made there stays', async () => {
  const world = await opened({ strategy: strategyOf() });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.cluster.webhook = 'fails open';
  world.cluster.apply({
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: { namespace: 'shop', name: 'web' },
    spec: { hosts: ['web'], http: [{ timeout: '7s', route: [{ destination: { host: 'web' } }] }] },
  });
  await world.pass(2);
  expect(world.weights()).toEqual({ web: 80, 'web-canary': 20 });
  expect(
    at(world.cluster.read(VIRTUAL_SERVICE, { namespace: 'shop', name: 'web' }), ['spec', 'http', 0, 'timeout']),
  ).toBe('7s');
  world.cluster.webhook = 'answers';
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(at(world.cluster.read(VIRTUAL_SERVICE, { namespace: 'shop', name: 'web' }), ['spec', 'http'])).toEqual([
    { timeout: '7s', route: [{ destination: { host: 'web' } }] },
  ]);
});

function strategyOf(): JsonMap {
  const routing = {
    service: 'web',
    gracePeriodSeconds: 3,
    customNetworkRefs: [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name: 'web' }],
  };
  return { canary: { steps, trafficRoutings: [routing] } };
}
