import { expect, onTestFinished, test } from 'vitest';
import { DESTINATION_RULE, VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { at, isMap, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { openWorld, ROUTING, type World, type WorldOptions } from './world.ts';

/** TrafficRoutings: traffic that does the same in every step, for one release or several. */

const GRAY = { namespace: 'shop', name: 'gray' };
const WEB = { namespace: 'shop', name: 'web' };
const USES_GRAY = { 'rollouts.kruise.io/trafficrouting': 'gray' };
const STEPS: JsonMap[] = [{ replicas: '20%', pause: {} }, { replicas: '50%', pause: {} }, { replicas: '100%' }];
const HEADER = [{ headers: [{ name: 'tester', value: 'yes' }] }];

const styles: [string, JsonMap][] = [
  ['partition', { canary: { steps: STEPS } }],
  ['canary', { canary: { enableExtraWorkloadForCanary: true, steps: STEPS } }],
  ['blue-green', { blueGreen: { steps: STEPS, scaleDownDelaySeconds: 20 } }],
];

function gray(strategy: JsonMap, objectRef: JsonMap = ROUTING): JsonMap {
  return {
    apiVersion: 'rollouts.kruise.io/v1alpha1',
    kind: 'TrafficRouting',
    metadata: GRAY,
    spec: { objectRef: [objectRef], strategy },
  };
}

async function opened(options: WorldOptions): Promise<World> {
  const world = await openWorld({ annotations: USES_GRAY, ...options });
  onTestFinished(() => world.close());
  return world;
}

async function pausedAtStep1(options: WorldOptions): Promise<World> {
  const world = await opened(options);
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  return world;
}

const routing = (world: World) => world.cluster.read(RESOURCES.trafficRouting, GRAY);
const phase = (world: World) => stringAt(routing(world), 'status', 'phase');
const rules = (world: World) => at(world.cluster.read(VIRTUAL_SERVICE, WEB), ['spec', 'http']);
const OPEN = [{ route: [{ destination: { host: 'web' } }] }];
const SPLIT = [
  {
    route: [
      { destination: { host: 'web' }, weight: 80 },
      { destination: { host: 'web', subset: 'canary' }, weight: 20 },
    ],
  },
];
const MATCHED = [
  { match: [{ headers: { tester: { exact: 'yes' } } }], route: [{ destination: { host: 'web', subset: 'canary' } }] },
  ...OPEN,
];

/** Nothing of a release is left on the TrafficRouting or the gateway object. */
function isClear(world: World): boolean {
  const texts = [routing(world), world.cluster.read(VIRTUAL_SERVICE, WEB)].map(({ metadata }) => {
    const { annotations = {} } = isMap(metadata) ? metadata : {};
    return JSON.stringify(annotations);
  });
  return texts.every((text) => !/sluice\.dev|original-spec/.test(text));
}

async function toTheEnd(world: World): Promise<void> {
  world.request({}, { request: 'promote' });
  await world.until('the end', () => world.stands() === 'Healthy', 200);
  expect(world.ready()).toEqual({ v2: 10 });
  expect(rules(world)).toEqual(OPEN);
  await world.until('a routing at rest', () => phase(world) === 'Healthy' && isClear(world), 5);
}

test.each(styles)(
  '%s: its traffic begins with the pods of step 1, stays through all steps, and ends with the release',
  async (_, strategy) => {
    const world = await opened({ strategy, objects: [gray({ matches: HEADER })] });
    await world.until('a routing at rest', () => phase(world) === 'Healthy', 5);
    world.release('v2');
    await world.until('traffic', () => rules(world) !== undefined && JSON.stringify(rules(world)).includes('canary'));
    expect(world.ready()['v2']).toBe(2);
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    expect(rules(world)).toEqual(MATCHED);
    expect(phase(world)).toBe('Progressing');
    world.approve();
    await world.until('step 2', () => world.stands() === '2 StepPaused');
    expect(rules(world)).toEqual(MATCHED);
    expect(world.cluster.list(RESOURCES.service, 'shop')).toHaveLength(1);
    await toTheEnd(world);
  },
);

test.each(styles)(
  '%s: with a weight the old version keeps the pods that its share needs, in every step',
  async (_, strategy) => {
    const world = await pausedAtStep1({ strategy, objects: [gray({ weight: 20 })] });
    expect(rules(world)).toEqual(SPLIT);
    world.approve();
    await world.until('step 2', () => world.stands() === '2 StepPaused');
    expect(rules(world)).toEqual(SPLIT);
    expect(world.ready()['v1']).toBeGreaterThanOrEqual(8);
    expect(world.ready()['v2']).toBe(5);
    await toTheEnd(world);
  },
);

test('where there is no room for all new pods at once, its weight grows with them, and shrinks on the way back', async () => {
  const weights: number[] = [];
  const problems: string[] = [];
  let isOpen = false;
  const onRest = (world: World) => {
    if (!isOpen) return;
    const weight = Number(at(rules(world), [0, 'route', 1, 'weight']) ?? 0);
    if (weights.at(-1) !== weight) weights.push(weight);
    const { v1 = 0, v2 = 0 } = world.ready();
    if (10 * v2 < weight || 10 * v1 < 100 - weight) problems.push(`${weight} % with ${v1} old and ${v2} new pods`);
  };
  const world = await opened({
    onRest,
    strategy: { canary: { steps: [{ replicas: '50%', pause: {} }, { replicas: '100%' }] } },
    spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
    objects: [gray({ weight: 50 })],
  });
  isOpen = true;
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(rules(world)).toMatchObject([{ route: [{ weight: 50 }, { weight: 50 }] }]);
  expect(weights.length).toBeGreaterThan(4);
  expect(weights).toEqual([...weights].sort((a, b) => a - b));
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(rules(world)).toEqual(OPEN);
  expect(problems).toEqual([]);
});

test.each(styles)('%s: on the way back its traffic goes before the pods do', async (_, strategy) => {
  const world = await pausedAtStep1({ strategy, objects: [gray({ matches: HEADER })] });
  world.release('v1');
  await world.until('traffic to be back', () => !JSON.stringify(rules(world)).includes('canary'));
  // Floors keep a pod for requests with the header.
  expect(world.ready()['v2']).toBeGreaterThanOrEqual(1);
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.ready()).toEqual({ v1: 10 });
  await world.until('a routing at rest', () => phase(world) === 'Healthy' && isClear(world), 5);
});

test('a Rollout waits, and says so, for a TrafficRouting that is not there, and goes on when it is', async () => {
  const world = await opened({ strategy: { canary: { steps: STEPS } }, objects: [gray({ matches: HEADER })] });
  world.cluster.erase(RESOURCES.trafficRouting, GRAY);
  world.release('v2');
  await world.pass(30);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(world.status()['message']).toContain('there is no TrafficRouting gray in namespace shop; create it');
  expect(world.events.join('\n')).toContain('Warning ObjectNotFound Rollout/web: metadata.annotations');
  world.cluster.apply(gray({ matches: HEADER }));
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(rules(world)).toEqual(MATCHED);
});

test('what is wrong with a TrafficRouting stands in its status and in the condition of its Rollout', async () => {
  const missing = {
    ...ROUTING,
    customNetworkRefs: [{ apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', name: 'x' }],
  };
  const world = await opened({ strategy: { canary: { steps: STEPS } }, objects: [gray({ weight: 20 })] });
  world.cluster.apply(gray({ weight: 20 }, missing));
  await world.pass(5);
  const message = 'spec.objectRef[0].customNetworkRefs[0]: there is no VirtualService x in namespace shop';
  expect(phase(world)).toBe('Initial');
  expect(stringAt(routing(world), 'status', 'message')).toContain(message);
  expect(JSON.stringify(world.status()['conditions'])).toContain(
    `TrafficRouting gray cannot be carried out: ${message}`,
  );
  world.release('v2');
  await world.pass(30);
  expect(world.ready()).toEqual({ v1: 10 });
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
});

test.each(styles)(
  '%s: deleted in the middle its traffic goes back at once, and the release waits; going back works',
  async (_, strategy) => {
    const world = await pausedAtStep1({ strategy, objects: [gray({ matches: HEADER })] });
    world.cluster.erase(RESOURCES.trafficRouting, GRAY);
    await world.until('traffic to be back', () => !JSON.stringify(rules(world)).includes('canary'), 5);
    expect(rules(world)).toEqual(OPEN);
    world.approve();
    await world.pass(60);
    expect(world.stands()).toBe('2 StepTrafficRouting');
    expect(world.status()['message']).toContain('waits for the gateway objects');
    expect(JSON.stringify(world.status()['conditions'])).toContain('there is no TrafficRouting gray');
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy');
    await world.until('all pods', () => world.ready()['v1'] === 10);
  },
);

test('created again in the middle it steers again, and the release goes on', async () => {
  const world = await pausedAtStep1({ strategy: { canary: { steps: STEPS } }, objects: [gray({ matches: HEADER })] });
  world.cluster.erase(RESOURCES.trafficRouting, GRAY);
  await world.pass(10);
  world.cluster.apply(gray({ matches: HEADER }));
  await world.until('traffic', () => JSON.stringify(rules(world)).includes('canary'), 5);
  await toTheEnd(world);
});

test('an edit of a TrafficRouting is in effect at once, and an edit of its gateway object is kept', async () => {
  const world = await pausedAtStep1({ strategy: { canary: { steps: STEPS } }, objects: [gray({ matches: HEADER })] });
  world.cluster.apply(gray({ weight: 20 }));
  await world.until('the new traffic', () => JSON.stringify(rules(world)).includes('"weight":80'), 5);
  world.cluster.apply({
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: WEB,
    spec: { hosts: ['web'], http: [{ timeout: '7s', route: [{ destination: { host: 'web' } }] }] },
  });
  await world.pass(2);
  expect(rules(world)).toEqual([{ timeout: '7s', ...SPLIT[0] }]);
});

test('with trafficRoutings of its own beside it, a Rollout steers those by its steps, and in the same steps the TrafficRouting by what that says', async () => {
  const inFront: JsonMap = {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: { namespace: 'shop', name: 'front' },
    spec: { hosts: ['front'], http: OPEN },
  };
  const own = {
    ...ROUTING,
    customNetworkRefs: [{ apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', name: 'front' }],
  };
  const steps: JsonMap[] = [
    { traffic: '10%', replicas: '20%', pause: {} },
    { replicas: '50%', pause: {} },
    { replicas: '100%' },
  ];
  const world = await pausedAtStep1({
    strategy: { canary: { steps, trafficRoutings: [own] } },
    objects: [gray({ matches: HEADER }), inFront],
  });
  const front = () => JSON.stringify(world.cluster.read(VIRTUAL_SERVICE, { namespace: 'shop', name: 'front' })['spec']);
  expect(front()).toContain('{"destination":{"host":"web-canary"},"weight":10}');
  expect(rules(world)).toEqual(MATCHED);
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  expect(front()).toBe(JSON.stringify(inFront['spec']));
  expect(rules(world)).toEqual(OPEN);
});

/** A second Deployment with its Rollout, which uses the same TrafficRouting. */
function second(version: string): JsonMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: 'shop', name: 'cart' },
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: 'cart' } },
      template: {
        metadata: { labels: { app: 'cart' } },
        spec: { containers: [{ name: 'cart', image: `cart:${version}` }] },
      },
    },
  };
}
const SECOND_ROLLOUT: JsonMap = {
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { namespace: 'shop', name: 'cart', annotations: USES_GRAY },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'cart' },
    strategy: { canary: { steps: [{ replicas: '50%', pause: {} }, { replicas: '100%' }] } },
  },
};

test('used by two Rollouts its traffic is there once, from the first that has its pods until the last is done', async () => {
  const world = await opened({
    strategy: { canary: { steps: STEPS } },
    objects: [gray({ matches: HEADER }), second('c1'), SECOND_ROLLOUT],
  });
  const other = () =>
    stringAt(world.cluster.read(RESOURCES.rollout, { namespace: 'shop', name: 'cart' }), 'status', 'currentStepState');
  await world.pass(5);
  world.release('v2');
  world.cluster.apply(second('c2'));
  await world.until('both in step 1', () => world.stands() === '1 StepPaused' && other() === 'StepPaused');
  expect(rules(world)).toEqual(MATCHED);
  expect(stringAt(routing(world), 'status', 'message')).toBe('traffic is steered for cart, web');
  world.request({}, { request: 'promote' });
  await world.until('the end of the first', () => world.stands() === 'Healthy', 200);
  expect(rules(world)).toEqual(MATCHED);
  expect(phase(world)).toBe('Progressing');
  world.cluster.apply(second('c1'));
  await world.until('the end of the second', () => other() === 'Completed');
  expect(rules(world)).toEqual(OPEN);
  await world.until('a routing at rest', () => phase(world) === 'Healthy' && isClear(world), 5);
});

test('with an Ingress two Rollouts share one canary Ingress', async () => {
  const ingress: JsonMap = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { ...WEB, annotations: { a: '1' } },
    spec: {
      ingressClassName: 'nginx',
      rules: [
        {
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
          },
        },
      ],
    },
  };
  const world = await opened({
    strategy: { canary: { steps: STEPS } },
    objects: [
      gray({ matches: HEADER }, { service: 'web', ingress: { name: 'web' } }),
      ingress,
      second('c1'),
      SECOND_ROLLOUT,
    ],
  });
  const ingresses = () =>
    world.cluster
      .list(RESOURCES.ingress, 'shop')
      .map((each) => stringAt(each, 'metadata', 'name'))
      .sort();
  const other = () =>
    stringAt(world.cluster.read(RESOURCES.rollout, { namespace: 'shop', name: 'cart' }), 'status', 'currentStepState');
  await world.pass(5);
  world.release('v2');
  world.cluster.apply(second('c2'));
  await world.until('both in step 1', () => world.stands() === '1 StepPaused' && other() === 'StepPaused');
  expect(ingresses()).toEqual(['web', 'web-canary']);
  world.release('v1');
  await world.until('the first to be back', () => world.stands() === 'Healthy');
  expect(ingresses()).toEqual(['web', 'web-canary']);
  world.cluster.apply(second('c1'));
  await world.until('the second to be back', () => other() === 'Completed');
  expect(ingresses()).toEqual(['web']);
});

test('what defines its destinations comes a second before the first route to them, and goes a grace period after the last', async () => {
  const rule: JsonMap = {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'DestinationRule',
    metadata: WEB,
    spec: { host: 'web', subsets: [{ name: 'base', labels: { app: 'web' } }] },
  };
  const both = ['VirtualService', 'DestinationRule'].map((kind) => ({
    apiVersion: 'networking.istio.io/v1beta1',
    kind,
    name: 'web',
  }));
  const objectRef = { ...ROUTING, customNetworkRefs: both };
  const since = new Map<string, number>();
  const onRest = ({ cluster, clock }: World): void => {
    for (const resource of [DESTINATION_RULE, VIRTUAL_SERVICE]) {
      const isNew = !since.has(resource.kind) && JSON.stringify(cluster.read(resource, WEB)['spec']).includes('canary');
      if (isNew) since.set(resource.kind, clock.monotonic());
    }
  };
  const world = await pausedAtStep1({
    strategy: { canary: { steps: STEPS } },
    objects: [gray({ matches: HEADER }, objectRef), rule],
    onRest,
  });
  expect((since.get('VirtualService') ?? 0) - (since.get('DestinationRule') ?? 0)).toBeGreaterThanOrEqual(1000);
  const subsets = () => JSON.stringify(world.cluster.read(DESTINATION_RULE, WEB)['spec']);
  expect(subsets()).toContain('canary');
  world.release('v1');
  await world.until('traffic to be back', () => !JSON.stringify(rules(world)).includes('canary'));
  expect(subsets()).toContain('canary');
  await world.pass(2);
  expect(subsets()).toContain('canary');
  await world.until('the definition to go', () => !subsets().includes('canary'), 2);
  await world.until('a routing at rest', () => phase(world) === 'Healthy' && isClear(world), 5);
  const written = world.cluster.story.flatMap((line) => /sluice-controller updates (\w+) web$/.exec(line)?.[1] ?? []);
  const networks = written.filter((kind) => both.some((each) => each.kind === kind));
  expect(networks).toEqual(['DestinationRule', 'VirtualService', 'VirtualService', 'DestinationRule']);
});

test('where somebody has an object of the name of its canary Ingress, that is told, and nothing is steered', async () => {
  const ingress = (name: string): JsonMap => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { namespace: 'shop', name },
    spec: {
      rules: [
        {
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
          },
        },
      ],
    },
  });
  const world = await opened({
    strategy: { canary: { steps: STEPS } },
    objects: [
      gray({ matches: HEADER }, { service: 'web', ingress: { name: 'web' } }),
      ingress('web'),
      ingress('web-canary'),
    ],
  });
  world.release('v2');
  await world.pass(60);
  const words = "Ingress shop/web-canary exists and is not Sluice's";
  expect(stringAt(routing(world), 'status', 'message')).toContain(words);
  expect(JSON.stringify(world.status()['conditions'])).toContain(words);
  const told = world.events.filter((event) => event.startsWith('Warning NotCarriedOut TrafficRouting/gray: '));
  expect(told).toHaveLength(1);
  world.cluster.erase(RESOURCES.ingress, { namespace: 'shop', name: 'web-canary' });
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(stringAt(routing(world), 'status', 'message')).toBe('traffic is steered for web');
});

test('a Rollout that is deleted in the middle uses it no more', async () => {
  const world = await pausedAtStep1({ strategy: { canary: { steps: STEPS } }, objects: [gray({ matches: HEADER })] });
  world.cluster.erase(RESOURCES.rollout, WEB);
  await world.until('a routing at rest', () => phase(world) === 'Healthy' && isClear(world), 10);
  expect(rules(world)).toEqual(OPEN);
  expect(world.ready()['v1']).toBeGreaterThanOrEqual(8);
});

test('deleted and created again while no controller runs, the Rollout does not hold what the one before has held', async () => {
  const world = await pausedAtStep1({ strategy: { canary: { steps: STEPS } }, objects: [gray({ matches: HEADER })] });
  const rollout = world.rollout();
  await world.whileDown(() => {
    world.cluster.erase(RESOURCES.rollout, WEB);
    const { status: _1, metadata: _2, ...source } = rollout;
    world.cluster.apply({ ...source, metadata: { ...WEB, annotations: USES_GRAY } });
    world.release('v1');
  });
  await world.until('the end', () => world.stands() === 'Healthy' && world.ready()['v1'] === 10);
  await world.until('a routing at rest', () => phase(world) === 'Healthy' && isClear(world), 5);
  expect(rules(world)).toEqual(OPEN);
});

test('a leader that comes in the middle goes on with it', async () => {
  const world = await pausedAtStep1({ strategy: { canary: { steps: STEPS } }, objects: [gray({ matches: HEADER })] });
  await world.restart();
  await world.pass(5);
  expect(rules(world)).toEqual(MATCHED);
  await toTheEnd(world);
});

const finalized =
  (...finalizers: string[]) =>
  (live: JsonMap) => ({
    ...live,
    metadata: { ...(live['metadata'] as JsonMap), finalizers },
  });

test('a finalizer by which something else says that it uses it steers its traffic, as with OpenKruise', async () => {
  const world = await opened({ strategy: { canary: { steps: STEPS } }, objects: [gray({ matches: HEADER })] });
  world.cluster.edit(RESOURCES.trafficRouting, GRAY, finalized('progressing.rollouts.kruise.io/mesh-job'));
  await world.until('traffic', () => JSON.stringify(rules(world)).includes('tester'), 5);
  await world.until('to be told', () => phase(world) === 'Progressing', 5);
  world.cluster.edit(RESOURCES.trafficRouting, GRAY, finalized());
  await world.until('a routing at rest', () => phase(world) === 'Healthy' && isClear(world), 5);
  expect(rules(world)).toEqual(OPEN);
});

test('with finalizers that OpenKruise had put on it, it goes when its traffic is back; Sluice puts none on', async () => {
  const world = await opened({ strategy: { canary: { steps: STEPS } }, objects: [gray({ matches: HEADER })] });
  const all = [
    'rollouts.kruise.io/trafficrouting',
    'progressing.rollouts.kruise.io/mesh-job',
    'progressing.rollouts.kruise.io/web',
  ];
  world.cluster.edit(RESOURCES.trafficRouting, GRAY, finalized(...all));
  await world.until('traffic', () => JSON.stringify(rules(world)).includes('tester'), 5);
  expect(at(routing(world), ['metadata', 'finalizers'])).toEqual(all.slice(0, 2));
  world.cluster.erase(RESOURCES.trafficRouting, GRAY);
  await world.until('the routing to go', () => world.cluster.list(RESOURCES.trafficRouting, 'shop').length === 0, 5);
  expect(rules(world)).toEqual(OPEN);
});

test('at rest and in a release no finalizer is on it', async () => {
  const world = await pausedAtStep1({ strategy: { canary: { steps: STEPS } }, objects: [gray({ matches: HEADER })] });
  expect(at(routing(world), ['metadata', 'finalizers'])).toBeUndefined();
});
