import { expect, test } from 'vitest';
import { at, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { directiveKey } from '../../src/rewrite/directive.ts';
import { leftAmong, leftovers, type TrafficSeen, trafficProblems } from './invariants.ts';
import { opened } from './opened.ts';
import { ROUTING, type World } from './world.ts';

const WEB = { namespace: 'shop', name: 'web' };
const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
];
const partition: JsonMap = { canary: { steps: STEPS, trafficRoutings: [ROUTING] } };
const canary: JsonMap = {
  canary: { steps: STEPS, trafficRoutings: [ROUTING], enableExtraWorkloadForCanary: true },
};

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

/** By the canary Ingress where there is one, else by the VirtualService: there is one way into the shop at a time. */
function trafficOf(world: World): TrafficSeen {
  const traffic = world.traffic();
  const [canaryIngress] = world.cluster
    .list(RESOURCES.ingress, 'shop')
    .filter((object) => stringAt(object, 'metadata', 'name') === 'web-canary');
  if (canaryIngress === undefined) return traffic;
  const weight = Number(
    stringAt(canaryIngress, 'metadata', 'annotations', 'nginx.ingress.kubernetes.io/canary-weight'),
  );
  const weights = { web: 100 - weight, 'web-canary': weight };
  const endpoints = Object.fromEntries(Object.keys(weights).map((each) => [each, world.endpoints(each)] as const));
  return { ...traffic, weights, endpoints };
}

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
      const text = trafficProblems(trafficOf(world)).join('; ');
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

const blueGreen: JsonMap = {
  blueGreen: {
    steps: [
      { replicas: '50%', traffic: '0%', pause: {} },
      { replicas: '100%', traffic: '100%', pause: {} },
    ],
    trafficRoutings: [ROUTING],
    scaleDownDelaySeconds: 5,
  },
};
const unrouted: JsonMap = { canary: { steps: STEPS.map(({ traffic: _, ...step }) => step) } };
const shared: JsonMap = { canary: { ...(partition['canary'] as JsonMap), disableGenerateCanaryService: true } };
const AGAIN = { partition, canary, blueGreen, unrouted, shared, ingress };

/** Approves each step that waits. */
async function toTheEnd(world: World, strategy: JsonMap): Promise<void> {
  const sub = 'blueGreen' in strategy ? 'blueGreenStatus' : 'canaryStatus';
  await world.until(
    'the end',
    () => {
      const seconds = Math.floor(world.milliseconds() / 1000);
      // An approval just after the pause would be refused.
      if (world.stands().endsWith('StepPaused') && seconds % 5 === 4)
        world.cluster.editStatus(RESOURCES.rollout, WEB, (status) => ({
          ...status,
          [sub]: { ...(status[sub] as JsonMap), currentStepState: 'StepReady' },
        }));
      return world.stands() === 'Healthy';
    },
    300,
  );
}

test.each(
  (['partition', 'canary', 'ingress'] as const).flatMap((before) =>
    (Object.keys(AGAIN) as (keyof typeof AGAIN)[])
      .filter((after) => after !== before)
      .map((after) => [before, after] as const),
  ),
)('%s: created again as %s in step 2, a Rollout first takes back what it does not name', async (before, after) => {
  const { log, start, onRest } = trafficLog();
  const world = await opened({ strategy: AGAIN[before], objects: [INGRESS], onRest });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  start();
  world.forget();
  world.plan(AGAIN[after]);
  await toTheEnd(world, AGAIN[after]);
  await world.pass(10);
  expect(world.ready()).toEqual({ v2: 10 });
  expect(world.weights()).toEqual({ web: 100 });
  expect(names(world, RESOURCES.ingress)).toEqual(['web']);
  expect(leftovers(world)).toEqual([]);
  expect(log).toEqual([]);
});

test('deleted for the second time just after its traffic went back, a Rollout still leaves proxies their grace', async () => {
  let [wentBack, wentAway] = [0, 0];
  const onRest = (now: World) => {
    if (now.weights()['web'] !== 100) [wentBack, wentAway] = [0, 0];
    else if (wentBack === 0) wentBack = now.milliseconds();
    if (wentAway === 0 && !names(now, RESOURCES.service).includes('web-canary')) wentAway = now.milliseconds();
  };
  const world = await opened({ strategy: partition, onRest });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.forget();
  await world.pass(30);
  world.plan(partition);
  await world.until('step 1 again', () => world.stands() === '1 StepPaused');
  await world.pass(30);
  world.request({}, { request: 'abort' });
  await world.until('the way back', () => world.weights()['web'] === 100);
  world.forget();
  await world.until('the canary Service to go', () => !names(world, RESOURCES.service).includes('web-canary'));
  expect(wentAway - wentBack).toBeGreaterThanOrEqual(3_000);
});
