import { expect, onTestFinished, test } from 'vitest';
import { DESTINATION_RULE, VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { at, isList, isMap, type Json, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { neededFor } from '../../src/release/walk.ts';
import { leftovers } from './invariants.ts';
import { openWorld, ROUTING, type World, type WorldOptions } from './world.ts';

const WEB = { namespace: 'shop', name: 'web' };

const TEMPLATE_LABELS = { app: 'web', version: 'base' };
const PATCH: JsonMap = { labels: { version: 'canary' }, annotations: { 'example.com/track': 'new' } };

function living({ cluster }: World): JsonMap[] {
  const pods = cluster.list(RESOURCES.pod, 'shop');
  return pods.filter((pod) => stringAt(pod, 'metadata', 'deletionTimestamp') === undefined);
}

/** The labels `version` of the pods of a version, counted. */
function versions(world: World, version: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const pod of living(world)) {
    if (!JSON.stringify(pod).includes(`web:${version}"`)) continue;
    const label = stringAt(pod, 'metadata', 'labels', 'version') ?? 'none';
    counts[label] = (counts[label] ?? 0) + 1;
  }
  return counts;
}

function annotated(world: World): number {
  return living(world).filter((pod) => JSON.stringify(pod).includes('example.com/track')).length;
}

const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
];

async function opened(options: Omit<WorldOptions, 'labels'>): Promise<World> {
  const world = await openWorld({ ...options, labels: TEMPLATE_LABELS });
  onTestFinished(() => world.close());
  return world;
}

function strategy(more: JsonMap = {}, steps = STEPS): JsonMap {
  return { canary: { steps, trafficRoutings: [ROUTING], patchPodTemplateMetadata: PATCH, ...more } };
}

test.each([
  ['partition', {}],
  ['canary', { enableExtraWorkloadForCanary: true }],
])('%s: pods of the new version bear what the Rollout says, and no other pods do', async (name, style) => {
  const world = await opened({ strategy: strategy(style) });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(versions(world, 'v1')).toEqual({ base: name === 'canary' ? 10 : 8 });
  expect(versions(world, 'v2')).toEqual({ canary: 2 });
  expect(annotated(world)).toBe(2);
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  expect(versions(world, 'v2')).toEqual({ canary: 5 });
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  await world.until('all pods', () => world.ready()['v2'] === 10);
  expect(versions(world, 'v2')).toEqual({ base: 10 });
  expect(annotated(world)).toBe(0);
  expect(leftovers(world)).toEqual([]);
});

test('what a changed plan no longer says is taken from living pods, and what it says now is given to them', async () => {
  const world = await opened({ strategy: strategy() });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.plan(strategy({ patchPodTemplateMetadata: { labels: { tier: 'gray' } } }));
  await world.pass(5);
  expect(versions(world, 'v2')).toEqual({ base: 2 });
  expect(annotated(world)).toBe(0);
  const gray = living(world).filter((pod) => stringAt(pod, 'metadata', 'labels', 'tier') === 'gray');
  expect(gray.length).toBe(2);
});

test('what the template says anyhow is not taken back: the release ends', async () => {
  const world = await opened({ strategy: strategy({ patchPodTemplateMetadata: { labels: { version: 'base' } } }) });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.request({}, { request: 'promote' });
  await world.until('the end', () => world.stands() === 'Healthy');
});

test('canary: a changed plan gives what it says now, once; what the extra Deployment says stays', async () => {
  const extra = { enableExtraWorkloadForCanary: true };
  const world = await opened({ strategy: strategy(extra) });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.plan(strategy({ ...extra, patchPodTemplateMetadata: { labels: { tier: 'gray' } } }));
  await world.pass(5);
  const before = world.cluster.requests.length;
  await world.pass(20);
  expect(world.cluster.requests.slice(before).filter(({ resource }) => resource.kind === 'Pod')).toEqual([]);
  expect(versions(world, 'v2')).toEqual({ canary: 2 });
  const gray = living(world).filter((pod) => stringAt(pod, 'metadata', 'labels', 'tier') === 'gray');
  expect(gray.length).toBe(2);
});

test('marks that somebody writes on a set change nothing by which it selects its pods, and hold up nothing', async () => {
  const world = await opened({ strategy: strategy() });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  const sets = world.cluster.list(RESOURCES.replicaSet, 'shop');
  const name = stringAt(sets.find((set) => JSON.stringify(set).includes('web:v2"')) ?? {}, 'metadata', 'name') ?? '';
  world.cluster.edit(RESOURCES.replicaSet, { namespace: 'shop', name }, (live) => {
    const metadata = live['metadata'] as JsonMap;
    const mark = { 'sluice.dev/pod-metadata': '{"labels":{"app":"web"},"annotations":{}}' };
    return { ...live, metadata: { ...metadata, annotations: { ...(metadata['annotations'] as JsonMap), ...mark } } };
  });
  world.request({}, { request: 'promote' });
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(leftovers(world)).toEqual([]);
});

test.each<[string, JsonMap]>([
  ['the workload', { app: 'other' }],
  ['its Service', { zone: 'b' }],
])('a label by which %s selects pods is given to none: the release does not begin, and says so', async (_, labels) => {
  const service: JsonMap = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: WEB,
    spec: {
      selector: { app: 'web', ...(_ === 'its Service' ? { zone: 'a' } : {}) },
      ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
    },
  };
  const world = await opened({ strategy: strategy({ patchPodTemplateMetadata: { labels } }), objects: [service] });
  world.release('v2');
  await world.pass(30);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(String(world.status()['message'])).toContain(
    `patchPodTemplateMetadata.labels names ${Object.keys(labels)[0]}, by which the workload or its Service selects pods`,
  );
});

const DESTINATIONS: JsonMap = {
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'DestinationRule',
  metadata: WEB,
  spec: { host: 'web', subsets: [{ name: 'version-base', labels: { version: 'base' } }] },
};
const ROUTES: JsonMap = {
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'VirtualService',
  metadata: WEB,
  spec: { hosts: ['web'], http: [{ route: [{ destination: { host: 'web', subset: 'version-base' } }] }] },
};
const SHARED = {
  ...ROUTING,
  customNetworkRefs: [
    { apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name: 'web' },
    { apiVersion: 'networking.istio.io/v1beta1', kind: 'DestinationRule', name: 'web' },
  ],
};

/** What each subset gets of the traffic, and how many ready pods it has. @throws where a route names no subset that there is */
function subsets(world: World): { name: string; weight: number; hasMatches: boolean; ready: number }[] {
  const defined = at(world.cluster.read(DESTINATION_RULE, WEB), ['spec', 'subsets']);
  const rules = at(world.cluster.read(VIRTUAL_SERVICE, WEB), ['spec', 'http']);
  return (isList(rules) ? rules : []).flatMap((rule) => {
    const route = member(rule, 'route');
    return (isList(route) ? route : []).map((entry: Json) => {
      const name = stringAt(entry, 'destination', 'subset') ?? '';
      const subset = (isList(defined) ? defined.filter(isMap) : []).find((each) => stringAt(each, 'name') === name);
      if (subset === undefined) throw new Error(`a route leads to the subset ${name}, which there is not`);
      const labels = Object.entries(subset).find(([key]) => key === 'labels')?.[1];
      const weight = member(entry, 'weight');
      return {
        name,
        weight: typeof weight === 'number' ? weight : 100,
        hasMatches: member(rule, 'match') !== undefined,
        ready: readyWith(world, isMap(labels) ? labels : {}),
      };
    });
  });
}

function readyWith(world: World, labels: JsonMap): number {
  return living(world).filter((pod) => {
    const own = at(pod, ['metadata', 'labels']);
    const isReady = JSON.stringify(at(pod, ['status', 'conditions']) ?? []).includes('"type":"Ready","status":"True"');
    return isReady && isMap(own) && Object.entries(labels).every(([key, value]) => own[key] === value);
  }).length;
}

/**
 * No subset that gets traffic is without the pods that its share needs, with as many missing as the owner allows. Weights
 * are whole percents, so that a share may be one more than its pods.
 */
function problemsOf(world: World, replicas: number, missing: number): string[] {
  return subsets(world).flatMap(({ name, weight, hasMatches, ready }) => {
    const needed = hasMatches ? 1 : weight === 0 ? 0 : Math.max(1, neededFor(weight - 1, replicas) - missing);
    return ready < needed ? [`${name} has ${ready} ready pods for ${weight} % at ${world.clock.monotonic()} ms`] : [];
  });
}

const MATCHES: JsonMap[] = [{ headers: [{ type: 'Exact', name: 'version', value: 'canary' }] }];
const shared = { trafficRoutings: [SHARED], disableGenerateCanaryService: true };

test.each<[string, number, JsonMap, JsonMap[], number]>([
  ['weights up to all', 10, {}, STEPS, 2],
  ['none may be missing', 6, { strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } }, STEPS, 1],
  [
    'matches',
    10,
    {},
    [
      { traffic: '20%', replicas: '20%', pause: {} },
      { replicas: '50%', matches: MATCHES, pause: {} },
    ],
    2,
  ],
  [
    'a single pod',
    1,
    {},
    [
      { traffic: '20%', replicas: 1, pause: {} },
      { replicas: 1, matches: MATCHES, pause: {} },
    ],
    0,
  ],
  [
    'a single pod that gets all',
    1,
    {},
    [
      { traffic: '20%', replicas: 1, pause: {} },
      { replicas: 1, traffic: '100%', pause: {} },
    ],
    0,
  ],
])(
  'one Service with subsets, %s: no subset with traffic is without its pods, forth and back',
  async (_, replicas, spec, steps, missing) => {
    const problems: string[] = [];
    let isWatched = false;
    const onRest = (world: World) => {
      if (isWatched) problems.push(...problemsOf(world, replicas, missing));
    };
    const world = await opened({
      strategy: strategy(shared, steps),
      replicas,
      spec,
      objects: [DESTINATIONS, ROUTES],
      onRest,
    });
    isWatched = true;
    for (const outcome of ['v2', 'v3'] as const) {
      world.release(outcome);
      await world.until('step 1', () => world.stands() === '1 StepPaused');
      expect(subsets(world).map(({ name, weight }) => [name, weight])).toEqual([
        ['version-base', 80],
        ['canary', 20],
      ]);
      world.approve();
      await world.until('step 2', () => world.stands() === '2 StepPaused');
      if (outcome === 'v3') break;
      world.approve();
      await world.until('the end', () => world.stands() === 'Healthy', 300);
      expect(versions(world, 'v2')).toEqual({ base: replicas });
      expect(leftovers(world)).toEqual([]);
    }
    world.release('v2');
    await world.until('the way back', () => world.stands() === 'Healthy', 300);
    expect(versions(world, 'v2')).toEqual({ base: replicas });
    expect(versions(world, 'v3')).toEqual({});
    expect(problems).toEqual([]);
    expect(leftovers(world)).toEqual([]);
    expect(subsets(world)).toEqual([{ name: 'version-base', weight: 100, hasMatches: false, ready: replicas }]);
  },
);

test.each<[string, JsonMap[]]>([
  ['the last', [...STEPS, { replicas: '100%' }]],
  [
    'one in the middle',
    [
      { traffic: '20%', replicas: '20%', pause: {} },
      { replicas: '80%', pause: {} },
    ],
  ],
  [
    'one before one with traffic',
    [
      { replicas: '40%', pause: {} },
      { traffic: '50%', replicas: '50%', pause: {} },
    ],
  ],
  ['each', [{ replicas: '50%', pause: {} }, { replicas: '100%' }]],
])('one Service with subsets, %s step without traffic: its pods are on the side that has it', async (_, steps) => {
  const problems: string[] = [];
  let isWatched = false;
  const onRest = (world: World) => {
    if (isWatched) problems.push(...problemsOf(world, 10, 2));
  };
  const world = await opened({ strategy: strategy(shared, steps), objects: [DESTINATIONS, ROUTES], onRest });
  isWatched = true;
  world.release('v2');
  for (let seconds = 0; seconds < 300 && !(seconds > 5 && world.stands() === 'Healthy'); seconds++) {
    await world.pass(1);
    if (seconds % 20 === 19 && world.stands().endsWith('StepPaused')) world.approve();
  }
  expect(world.stands()).toBe('Healthy');
  expect(versions(world, 'v2')).toEqual({ base: 10 });
  expect(problems).toEqual([]);
  expect(leftovers(world)).toEqual([]);
});

test('one Service with subsets, of a Rollout that is gone and says `complete`: no subset with traffic is without its pods', async () => {
  const problems: string[] = [];
  let isWatched = false;
  const onRest = (world: World) => {
    if (isWatched) problems.push(...problemsOf(world, 10, 2));
  };
  const world = await opened({
    strategy: strategy(shared),
    objects: [DESTINATIONS, ROUTES],
    annotations: { 'sluice.dev/on-delete': 'complete' },
    onRest,
  });
  isWatched = true;
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  world.cluster.erase(RESOURCES.rollout, WEB);
  await world.until('the native rollout', () => world.ready()['v2'] === 10 && world.desired()['v1'] === undefined);
  expect(versions(world, 'v2')).toEqual({ base: 10 });
  expect(problems).toEqual([]);
  expect(leftovers(world)).toEqual([]);
});

test('one Service with subsets: a subset is defined before a route leads to it, and goes after it', async () => {
  const written: string[] = [];
  let before = '';
  const onRest = (world: World) => {
    const [rule, routes] = [DESTINATION_RULE, VIRTUAL_SERVICE].map((resource) =>
      JSON.stringify(at(world.cluster.read(resource, WEB), ['spec'])).includes('"canary"') ? 'canary' : 'plain',
    );
    const now = `${rule} ${routes}`;
    if (now !== before) written.push(now);
    before = now;
  };
  const world = await opened({ strategy: strategy(shared), objects: [DESTINATIONS, ROUTES], onRest });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.release('v1');
  await world.until('the way back', () => world.stands() === 'Healthy');
  expect(written).toEqual(['plain plain', 'canary plain', 'canary canary', 'canary plain', 'plain plain']);
});
