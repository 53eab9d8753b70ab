import { expect, test } from 'vitest';
import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { NAMESPACE } from '../../src/controller/running.testing.ts';
import { at, isList, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { leftovers } from './invariants.ts';
import { opened, pausedAtStep1 } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/**
 * What cannot be released as it is: the release waits safely, a condition and an Event say what is wrong and what to do, it
 * goes on when that is done, and going back works. Images that never become ready are in `scenarios.test.ts`.
 */

const WEB = { namespace: 'shop', name: 'web' };
const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
  { replicas: '100%' },
];
const styles: [string, JsonMap][] = [
  ['partition', { canary: { steps: STEPS, trafficRoutings: [ROUTING] } }],
  ['canary', { canary: { enableExtraWorkloadForCanary: true, steps: STEPS, trafficRoutings: [ROUTING] } }],
  ['blue-green', { blueGreen: { steps: STEPS, trafficRoutings: [ROUTING] } }],
];

/** Status, reason and message of a condition. */
function condition(world: World, type: string): string {
  const { conditions = [] } = world.status();
  const found = isList(conditions) ? conditions.find((each) => stringAt(each, 'type') === type) : undefined;
  return `${stringAt(found, 'status')} ${stringAt(found, 'reason')}: ${stringAt(found, 'message')}`;
}

async function goesBack(world: World): Promise<void> {
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
  await world.until('all pods', () => world.ready()['v1'] === 10);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(leftovers(world)).toEqual([]);
}

/** An edit of an object of the user's. */
function edited(world: World, resource: Resource, part: 'spec' | 'metadata', members: JsonMap): void {
  world.cluster.edit(resource, WEB, (live) => ({ ...live, [part]: { ...(live[part] as JsonMap), ...members } }));
}

const service = (world: World): JsonMap => world.cluster.read(RESOURCES.service, WEB);
const again = ({ metadata, ...object }: JsonMap): JsonMap => ({
  ...object,
  metadata: { namespace: 'shop', name: stringAt(metadata, 'name') ?? '' },
});
const OWNER = [{ apiVersion: 'example.com/v1', kind: 'App', name: 'shop', uid: 'app', controller: true }];

type Mistake = {
  /** Makes it, before the new version comes. @returns what mends it */
  readonly make: (world: World) => (world: World) => void;
  /** Where it is told, and in which words. */
  readonly told: [type: string, words: string];
  readonly event: string;
};

const MISTAKES: [string, Mistake][] = [
  [
    'a Service that is missing',
    {
      make(world) {
        const before = again(service(world));
        world.cluster.erase(RESOURCES.service, WEB);
        return () => world.cluster.apply(before);
      },
      told: ['ResolvedRefs', 'False ServiceNotFound: spec.strategy.'],
      event: 'Warning ServiceNotFound Rollout/web: spec.strategy.',
    },
  ],
  [
    'a gateway object that is missing',
    {
      make(world) {
        const before = again(world.cluster.read(VIRTUAL_SERVICE, WEB));
        world.cluster.erase(VIRTUAL_SERVICE, WEB);
        return () => world.cluster.apply(before);
      },
      told: ['ResolvedRefs', 'there is no VirtualService web in namespace shop; create it, or correct the name'],
      event: 'Warning ObjectNotFound Rollout/web: spec.strategy.',
    },
  ],
  [
    'a Service of the wrong kind',
    {
      make(world) {
        edited(world, RESOURCES.service, 'spec', { type: 'ExternalName', externalName: 'web.example.com' });
        return () => edited(world, RESOURCES.service, 'spec', { type: 'ClusterIP' });
      },
      told: ['Progressing', 'is of type ExternalName and leads to no pods; name a Service that selects the pods'],
      event: 'Warning Held Rollout/web: the release is held: waits for Service shop/web is of type ExternalName',
    },
  ],
  [
    'a workload of type Recreate',
    {
      make(world) {
        edited(world, RESOURCES.deployment, 'spec', { strategy: { type: 'Recreate' } });
        return () => edited(world, RESOURCES.deployment, 'spec', { strategy: { type: 'RollingUpdate' } });
      },
      told: ['Progressing', 'write spec.strategy.type: RollingUpdate into the workload'],
      event: 'Warning Held Rollout/web: the release is held: waits for a strategy under which two versions may run',
    },
  ],
  [
    'a workload that its owner has paused',
    {
      make(world) {
        // Without any such entry nobody could tell who has written an annotation.
        const managedFields = [{ manager: 'kubectl', operation: 'Update', fieldsV1: { 'f:spec': { 'f:paused': {} } } }];
        edited(world, RESOURCES.deployment, 'metadata', { managedFields });
        edited(world, RESOURCES.deployment, 'spec', { paused: true });
        return () => edited(world, RESOURCES.deployment, 'spec', { paused: false });
      },
      told: ['Progressing', 'its owner, who has paused the workload: kubectl rollout resume'],
      event: 'Warning Held Rollout/web: the release is held: waits for its owner, who has paused the workload',
    },
  ],
  [
    'a workload that another controller owns',
    {
      make(world) {
        edited(world, RESOURCES.deployment, 'metadata', { ownerReferences: OWNER });
        return () => edited(world, RESOURCES.deployment, 'metadata', { ownerReferences: [] });
      },
      told: ['Progressing', 'Deployment shop/web is controlled by App shop (metadata.ownerReferences)'],
      event: 'Warning Held Rollout/web: the release is held: waits for Deployment shop/web is controlled by App shop',
    },
  ],
];

const cases = MISTAKES.flatMap(([what, mistake]) =>
  styles.map(([style, strategy]) => [what, style, { mistake, strategy }] as const),
);

test.each(cases)(
  '%s keeps a release from beginning, which goes on when that is mended (%s)',
  async (...[, , { mistake, strategy }]) => {
    const world = await opened({ strategy });
    const mend = mistake.make(world);
    world.release('v2');
    await world.pass(60);
    expect(world.ready()).toEqual({ v1: 10 });
    const [type, words] = mistake.told;
    expect(condition(world, type)).toContain(words);
    const told = world.events.filter((event) => event.startsWith(mistake.event));
    expect(told, world.events.join('\n')).toHaveLength(1);
    mend(world);
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    expect(world.ready()['v2']).toBe(2);
    await goesBack(world);
  },
);

test.each(cases)(
  'with %s a version that was applied can be taken back (%s)',
  async (...[, , { mistake, strategy }]) => {
    const world = await opened({ strategy });
    const mend = mistake.make(world);
    world.release('v2');
    await world.pass(20);
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy');
    expect(world.ready()).toEqual({ v1: 10 });
    mend(world);
    await world.pass(5);
    expect(leftovers(world)).toEqual([]);
  },
);

const CONFIG_MAP = { namespace: NAMESPACE, name: 'kruise-rollout-configuration' };

/** The user's own script for VirtualServices: the shipped one's weights, and whatever else is given. */
function scripts(text: string): JsonMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...CONFIG_MAP, annotations: { 'sluice.dev/override': 'true' } },
    data: { 'lua.traffic.routing.VirtualService.networking.istio.io': text },
  };
}

const WEIGHTS = `
local route = obj.data.spec.http[1].route
route[1].weight = obj.stableWeight
route[2] = {destination = {host = obj.canaryService}, weight = obj.canaryWeight}
return obj.data`;
const FAILS_FROM_STEP_2 = `if obj.canaryWeight >= 50 then error("no more than half") end\n${WEIGHTS}`;
const FAILS_WITH_TIMEOUT = `
if obj.canaryWeight >= 50 and obj.data.spec.http[1].timeout then error("no timeout with half") end\n${WEIGHTS}`;

test.each(styles)('%s: a script that fails from step 2 on keeps a release from beginning', async (_, strategy) => {
  const world = await opened({ strategy, objects: [scripts(FAILS_FROM_STEP_2)] });
  await world.pass(2);
  world.release('v2');
  await world.pass(60);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(condition(world, 'Expressible')).toMatch(
    /^False StepFails: .*steps\[1\]: VirtualService shop\/web: .*:1: .*no more than half/s,
  );
  expect(world.events.join('\n')).toContain('Warning StepFails Rollout/web: spec.strategy.');
  world.cluster.apply(scripts(WEIGHTS));
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  await goesBack(world);
});

test.each(
  styles.flatMap(([style, strategy]) => (['back', 'on'] as const).map((way) => [style, way, strategy] as const)),
)(
  '%s: a script that fails from step 2 on because of an edit in step 1 stops the release there, from where it goes %s',
  async (_, way, strategy) => {
    const world = await pausedAtStep1({ strategy, objects: [scripts(FAILS_WITH_TIMEOUT)] });
    expect(world.weights()).toEqual({ web: 80, 'web-canary': 20 });
    const routes = (rule: JsonMap): JsonMap => ({
      apiVersion: 'networking.istio.io/v1beta1',
      kind: 'VirtualService',
      metadata: WEB,
      spec: { hosts: ['web'], http: [{ ...rule, route: [{ destination: { host: 'web' } }] }] },
    });
    world.cluster.apply(routes({ timeout: '5s' }));
    world.approve();
    await world.pass(150);
    expect(world.stands()).toBe('2 StepTrafficRouting');
    expect(world.weights()).toEqual({ web: 80, 'web-canary': 20 });
    expect(condition(world, 'Expressible')).toContain('no timeout with half');
    expect(condition(world, 'Reconciled')).toMatch(/^False Retrying: .*step 2.*:2: .*no timeout with half/s);
    expect(world.events.join('\n')).toContain('Warning Retrying Rollout/web: ');
    if (way === 'back') return goesBack(world);
    world.cluster.apply(routes({}));
    await world.until('step 2', () => world.stands() === '2 StepPaused');
    expect(world.weights()).toEqual({ web: 50, 'web-canary': 50 });
  },
);

test.each(styles)(
  '%s: a ConfigMap with the scripts that is deleted in the middle changes nothing for this release',
  async (_, strategy) => {
    const world = await pausedAtStep1({ strategy, objects: [scripts(WEIGHTS)] });
    const pinned = () =>
      world.cluster
        .list(RESOURCES.configMap, NAMESPACE)
        .filter((each) => JSON.stringify(each).includes('obj.stableWeight'));
    world.cluster.erase(RESOURCES.configMap, CONFIG_MAP);
    await world.pass(5);
    expect(pinned().length).toBeGreaterThan(0);
    world.approve();
    await world.until('step 2', () => world.stands() === '2 StepPaused');
    expect(world.weights()).toEqual({ web: 50, 'web-canary': 50 });
    await goesBack(world);
  },
);

test('a pinned script that somebody deletes in the middle is there again', async () => {
  const [[, strategy = {}] = []] = styles;
  const world = await pausedAtStep1({ strategy, objects: [scripts(WEIGHTS)] });
  for (const each of world.cluster.list(RESOURCES.configMap, NAMESPACE)) {
    const name = stringAt(each, 'metadata', 'name') ?? '';
    if (name.startsWith('sluice-script-')) world.cluster.erase(RESOURCES.configMap, { namespace: NAMESPACE, name });
  }
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  await goesBack(world);
});

test('a kind without a script keeps a release from beginning, and the condition says where to write one', async () => {
  const ref = { apiVersion: 'example.com/v1', kind: 'Route', name: 'web' };
  const strategy = { canary: { steps: STEPS, trafficRoutings: [{ ...ROUTING, customNetworkRefs: [ref] }] } };
  const world = await opened({ strategy: styles[0]?.[1] ?? {} });
  world.cluster.install({ group: 'example.com', version: 'v1', plural: 'routes', kind: 'Route', namespaced: true });
  world.cluster.apply({ ...ref, metadata: WEB, spec: {} });
  world.plan(strategy);
  await world.pass(5);
  world.release('v2');
  await world.pass(30);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(condition(world, 'ScriptsReady')).toContain('False ScriptNotFound: ');
  expect(condition(world, 'ScriptsReady')).toContain('under the key lua.traffic.routing.Route.example.com');
  expect(world.events.join('\n')).toContain('Warning ScriptNotFound Rollout/web: ');
  await goesBack(world);
});

test('a kind that the cluster does not know keeps a release from beginning until it is installed', async () => {
  const ref = { apiVersion: 'example.com/v1', kind: 'Route', name: 'web' };
  const world = await opened({ strategy: styles[0]?.[1] ?? {} });
  world.plan({ canary: { steps: STEPS, trafficRoutings: [{ ...ROUTING, customNetworkRefs: [ref] }] } });
  await world.pass(5);
  world.release('v2');
  await world.pass(30);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(condition(world, 'ResolvedRefs')).toContain('False KindNotServed: ');
  expect(world.events.join('\n')).toContain('Warning KindNotServed Rollout/web: ');
  await goesBack(world);
});

test('a workload of a kind that is not released is left alone, and the Rollout says so', async () => {
  const world = await opened({ strategy: styles[0]?.[1] ?? {} });
  world.cluster.apply({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { namespace: 'shop', name: 'db' },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'db' },
      strategy: { canary: { steps: STEPS } },
    },
  });
  await world.pass(5);
  const { status } = world.cluster.read(RESOURCES.rollout, { namespace: 'shop', name: 'db' });
  expect(JSON.stringify(status)).toContain('"reason":"KindNotSupported"');
  expect(world.events.join('\n')).toContain('Warning KindNotSupported Rollout/db: spec.workloadRef: ');
});

test('a workload of another Rollout is released by that one alone, and the other one says so', async () => {
  const world = await opened({ strategy: styles[0]?.[1] ?? {} });
  await world.pass(5);
  world.cluster.apply({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { namespace: 'shop', name: 'late' },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      strategy: { canary: { steps: [{ replicas: '100%' }] } },
    },
  });
  await world.pass(5);
  const late = () =>
    JSON.stringify(world.cluster.read(RESOURCES.rollout, { namespace: 'shop', name: 'late' })['status']);
  expect(late()).toContain('Rollout shop/web releases this workload already; one workload has one Rollout');
  expect(world.events.join('\n')).toContain('Warning WorkloadTaken Rollout/late: spec.workloadRef: ');
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(late()).not.toContain('StepPaused');
  await goesBack(world);
});

test.each(styles)(
  '%s: with 0 replicas nothing is held, and no pod is there that could be released in steps',
  async (_, strategy) => {
    const world = await opened({ strategy });
    world.scale(0);
    await world.pass(10);
    world.release('v2');
    await world.pass(10);
    expect(world.stands()).toBe('Healthy');
    expect(leftovers(world)).toEqual([]);
    world.scale(10);
    await world.until('the new version', () => world.ready()['v2'] === 10);
    expect(world.ready()).toEqual({ v2: 10 });
  },
);

test.each(styles)(
  '%s: a step that asks for more pods than there are gets as many as there are',
  async (_, strategy) => {
    const steps = [{ replicas: 50, pause: {} }, { replicas: '100%' }];
    const [[style = '', plan] = []] = Object.entries(strategy);
    const world = await pausedAtStep1({ strategy: { [style]: { ...(plan as JsonMap), steps } } });
    expect(world.desired()['v2']).toBe(10);
    expect(world.ready()['v2']).toBe(10);
    await goesBack(world);
  },
);

test('a workload that is missing is told, and armed as soon as it is there', async () => {
  const world = await opened({ strategy: styles[0]?.[1] ?? {} });
  const before = world.cluster.read(RESOURCES.deployment, WEB);
  const template = at(before, ['spec', 'template']);
  world.cluster.erase(RESOURCES.deployment, WEB);
  await world.until('the condition', () => condition(world, 'ResolvedRefs').startsWith('False WorkloadNotFound'), 5);
  expect(condition(world, 'ResolvedRefs')).toContain(
    'spec.workloadRef: there is no Deployment web in namespace shop; create it',
  );
  expect(world.events.join('\n')).toContain('Warning WorkloadNotFound Rollout/web: ');
  expect(world.status()['phase']).toBe('Initial');
  world.release('v1');
  expect(at(world.cluster.read(RESOURCES.deployment, WEB), ['spec', 'template'])).toEqual(template);
  await world.until(
    'an armed workload',
    () => JSON.stringify(world.cluster.read(RESOURCES.deployment, WEB)).includes('\\"armed\\"'),
    5,
  );
});
