import { expect, onTestFinished, test } from 'vitest';
import { at, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { directiveKey } from '../../src/rewrite/directive.ts';
import { leftAmong, leftovers, trafficProblems } from './invariants.ts';
import { openWorld, ROUTING, type World, type WorldOptions } from './world.ts';

const WEB = { namespace: 'shop', name: 'web' };
const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
];
const partition: JsonMap = { canary: { steps: STEPS, trafficRoutings: [ROUTING] } };
const canary: JsonMap = {
  canary: { steps: STEPS, trafficRoutings: [ROUTING], enableExtraWorkloadForCanary: true },
};

async function opened(options: WorldOptions): Promise<World> {
  const world = await openWorld(options);
  onTestFinished(() => world.close());
  return world;
}

/** Names of what there is of a kind, in order. */
function names(world: World, resource: Resource, namespace = 'shop'): string[] {
  const all = world.cluster.list(resource, namespace).map((object) => stringAt(object, 'metadata', 'name') ?? '');
  return all.sort();
}

const service = (name: string, metadata: JsonMap = {}): JsonMap => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'shop', name, ...metadata },
  spec: { selector: { app: 'web' }, ports: [{ port: 81 }] },
});
const deployment = (name: string, metadata: JsonMap = {}): JsonMap => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { namespace: 'shop', name, ...metadata },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'other:w1' }] } },
  },
});

/** Says from a moment on what traffic lacked, each time when that became another thing. */
function trafficLog() {
  const log: string[] = [];
  let isOn = false;
  let last = '';
  return {
    log,
    start: () => {
      isOn = true;
    },
    onRest: (world: World) => {
      if (!isOn) return;
      const text = trafficProblems(world.traffic()).join('; ');
      if (text !== last && text !== '') log.push(`${world.clock.monotonic()} ms: ${text}`);
      last = text;
    },
  };
}

test('what users label as ours stays theirs, whether the label names a Rollout or none', async () => {
  const labels = { 'sluice.dev/rollout': 'web' };
  const none = { namespace: 'bank', labels: { 'sluice.dev/rollout': 'no-such' } };
  const world = await opened({
    strategy: partition,
    objects: [
      service('web-admin', { labels }),
      deployment('web-worker', { labels }),
      deployment('worker-canary', { labels: { ...labels, 'rollouts.kruise.io/canary-deployment': 'worker' } }),
      deployment('ledger', none),
      service('ledger-canary', none),
    ],
  });
  for (const resource of [RESOURCES.service, RESOURCES.deployment])
    world.cluster.edit(resource, WEB, (live) => ({ ...live, metadata: { ...(live['metadata'] as JsonMap), labels } }));
  await world.pass(20);
  expect(names(world, RESOURCES.service)).toEqual(['web', 'web-admin']);
  expect(names(world, RESOURCES.deployment)).toEqual(['web', 'web-worker', 'worker-canary']);
  expect(names(world, RESOURCES.deployment, 'bank')).toEqual(['ledger']);
  expect(names(world, RESOURCES.service, 'bank')).toEqual(['ledger-canary']);
});

test('a canary object that is exported, renamed and applied by somebody is theirs, and outlives the release', async () => {
  const world = await opened({ strategy: canary });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  const copied = (resource: Resource, name: string, metadata: JsonMap = {}): JsonMap => {
    const { labels, annotations } = world.cluster.read(resource, { namespace: 'shop', name: 'web-canary' })[
      'metadata'
    ] as JsonMap;
    const own = { namespace: 'shop', name, labels: labels as JsonMap, annotations: annotations as JsonMap };
    const made = resource === RESOURCES.service ? service(name) : deployment(name);
    return { ...made, metadata: { ...own, ...metadata } };
  };
  world.cluster.apply(copied(RESOURCES.service, 'mine'));
  world.cluster.apply(copied(RESOURCES.service, 'other-canary'));
  world.cluster.apply(copied(RESOURCES.deployment, 'mine'));
  const without = { 'sluice.dev/rollout': 'web' };
  world.cluster.apply(copied(RESOURCES.deployment, 'other-canary', { labels: without }));
  world.request({}, { request: 'promote' });
  await world.until('the end', () => world.stands() === 'Healthy');
  await world.pass(20);
  expect(names(world, RESOURCES.service)).toEqual(['mine', 'other-canary', 'web']);
  expect(names(world, RESOURCES.deployment)).toEqual(['mine', 'other-canary', 'web']);
});

test('an extra Deployment of somebody else is never taken for ours', async () => {
  const labels = { 'rollouts.kruise.io/canary-deployment': 'web', 'sluice.dev/rollout': 'web' };
  const world = await opened({ strategy: canary, objects: [deployment('web-canary', { labels })] });
  world.release('v2');
  await world.until('the obstacle', () => JSON.stringify(world.status()).includes("is not Sluice's"));
  world.release('v1');
  await world.pass(20);
  expect(names(world, RESOURCES.deployment)).toEqual(['web', 'web-canary']);
});

const LONG = { namespace: 'shop', name: `a-rollout-with-a-long-name-${'x'.repeat(50)}` };
const INGRESS: JsonMap = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: WEB,
  spec: {
    ingressClassName: 'nginx',
    rules: [
      {
        host: 'shop.example',
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
        },
      },
    ],
  },
};
const ingress: JsonMap = {
  canary: {
    steps: STEPS,
    trafficRoutings: [{ service: 'web', gracePeriodSeconds: 3, ingress: { classType: 'nginx', name: 'web' } }],
  },
};
const withoutTraffic: JsonMap = {
  canary: { steps: STEPS.map(({ traffic: _, ...step }) => step), enableExtraWorkloadForCanary: true },
};

test.each([
  ['partition', partition],
  ['canary', canary],
  ['canary without traffic', withoutTraffic],
  ['an Ingress', ingress],
])('%s: a living Rollout with a name over 63 characters keeps what it has made', async (_, strategy) => {
  const world = await opened({ strategy, objects: [INGRESS] });
  const spec = world.rollout()['spec'] as JsonMap;
  world.forget();
  await world.pass(10);
  world.cluster.apply({ apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout', metadata: LONG, spec });
  await world.pass(10);
  expect(at(world.cluster.read(RESOURCES.deployment, WEB), ['metadata', 'annotations'])).toHaveProperty([
    directiveKey(LONG.name),
  ]);
  world.release('v2');
  const state = () => at(world.cluster.read(RESOURCES.rollout, LONG), ['status', 'canaryStatus', 'currentStepState']);
  await world.until('step 1', () => state() === 'StepPaused');
  await world.pass(20);
  const made = world.cluster.story.filter((line) =>
    /(creates|removes) (Service|Ingress|Deployment) .*-canary/.test(line),
  );
  expect(made).not.toEqual([]);
  expect(made.filter((line) => line.includes('removes'))).toEqual([]);
  world.cluster.erase(RESOURCES.rollout, LONG);
  await world.pass(60);
  expect(world.ready()['v1']).toBe(10);
  expect(world.weights()).toEqual({ web: 100 });
  expect(names(world, RESOURCES.ingress)).toEqual(['web']);
  expect(names(world, RESOURCES.service)).toEqual(['web']);
});

/** The strategy with a field that a later version of the API may have. */
const OF_TOMORROW = { canary: { steps: [{ ...STEPS[0], fieldOfTomorrow: 1 }, STEPS[1]], trafficRoutings: [ROUTING] } };
const BROKEN = { canary: { steps: 'none', trafficRoutings: [ROUTING] } };

test.each([
  ['hold', OF_TOMORROW],
  ['complete', OF_TOMORROW],
  ['complete', BROKEN],
])(
  'a living Rollout (%s) that cannot be read is not taken for deleted: all stays as it is, and goes on when it can be read',
  async (how, strategy) => {
    const { log, start, onRest } = trafficLog();
    const world = await opened({ strategy: partition, annotations: { 'sluice.dev/on-delete': how }, onRest });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    start();
    const planned = (next: Json) =>
      world.cluster.edit(RESOURCES.rollout, WEB, (live) => ({
        ...live,
        spec: { ...(live['spec'] as JsonMap), strategy: next },
      }));
    planned(strategy as JsonMap);
    await world.pass(30);
    await world.restart();
    world.scale(11);
    await world.pass(60);
    expect(world.weights()).toEqual({ web: 80, 'web-canary': 20 });
    expect(world.ready()['v2']).toBeLessThanOrEqual(3);
    expect(at(world.status(), ['phase'])).toBe('Progressing');
    expect(JSON.stringify(world.status()['conditions'])).toContain(
      '"type":"Accepted","status":"False","reason":"Invalid"',
    );
    planned(partition);
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy');
    expect(world.ready()).toEqual({ v1: 11 });
    expect(leftovers(world)).toEqual([]);
    expect(log).toEqual([]);
  },
);

test('at rest a workload whose Rollout cannot be read stays armed', async () => {
  const world = await opened({ strategy: partition });
  world.cluster.edit(RESOURCES.rollout, WEB, (live) => ({
    ...live,
    spec: { ...(live['spec'] as JsonMap), strategy: OF_TOMORROW as JsonMap },
  }));
  await world.pass(30);
  world.release('v2');
  await world.pass(30);
  expect(world.ready()).toEqual({ v1: 10 });
});

const NEXT = { namespace: 'shop', name: 'next' };

test('created again for another workload, a Rollout arms that one, and tells that the first one is held', async () => {
  const world = await opened({ strategy: partition, objects: [deployment('next')] });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  const spec = world.rollout()['spec'] as JsonMap;
  world.forget();
  await world.pass(30);
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'next' };
  const again = { ...spec, workloadRef };
  world.cluster.apply({ apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout', metadata: WEB, spec: again });
  await world.pass(10);
  expect(world.stands()).toBe('Healthy');
  const key = directiveKey('web');
  expect(at(world.cluster.read(RESOURCES.deployment, NEXT), ['metadata', 'annotations', key])).toContain('"armed"');
  expect(world.ready()).toEqual({ v1: 10, v2: 2, w1: 3 });
  world.release('v1');
  await world.pass(30);
  expect(world.ready()).toEqual({ v1: 10, w1: 3 });
  expect(world.endpoints('web')).toEqual({ v1: 10 });
  expect(leftAmong(world.belongings(), ['web', 'next'])).toEqual([]);
});

test('named away from a workload in one go, a Rollout tells by an Event that its version is held', async () => {
  const world = await opened({ strategy: partition, objects: [deployment('next')] });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  const spec = world.rollout()['spec'] as JsonMap;
  world.forget();
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'next' };
  const again = { ...spec, workloadRef };
  world.cluster.apply({ apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout', metadata: WEB, spec: again });
  await world.pass(30);
  expect(world.weights()).toEqual({ web: 100 });
  expect(world.stands()).toBe('Healthy');
  expect(world.events.join('\n')).toContain(
    'Warning RolloutGone Deployment/web: Rollout shop/web names another workload',
  );
});

test('complete: where the stable Service is gone, too, the new version comes out all the same', async () => {
  const world = await opened({ strategy: partition, annotations: { 'sluice.dev/on-delete': 'complete' } });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.cluster.erase(RESOURCES.service, WEB);
  world.forget();
  await world.until('the new version', () => world.ready()['v2'] === 10 && world.ready()['v1'] === undefined);
  expect(world.weights()).toEqual({ web: 100 });
  expect(names(world, RESOURCES.service)).toEqual([]);
});

test.each(['hold', 'rollback', 'complete'])(
  '%s: a controller that starts after the Rollout is gone acts by all that it has left',
  async (how) => {
    const { log, start, onRest } = trafficLog();
    const world = await opened({ strategy: partition, annotations: { 'sluice.dev/on-delete': how }, onRest });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.approve();
    await world.until('step 2', () => world.stands() === '2 StepPaused');
    start();
    world.forget();
    await world.restart();
    await world.pass(60);
    expect(world.weights()).toEqual({ web: 100 });
    expect(names(world, RESOURCES.service)).toEqual(['web']);
    expect(world.ready()).toEqual({ hold: { v1: 10, v2: 5 }, rollback: { v1: 10 }, complete: { v2: 10 } }[how]);
    expect(log).toEqual([]);
  },
);
