import { expect, test } from 'vitest';
import { at, type JsonMap, stringAt } from '../../src/json/value.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { isOwnKey } from '../../src/rewrite/own-keys.ts';
import { templateHash } from '../../src/rewrite/template.ts';
import { leftovers, trafficProblems } from './invariants.ts';
import { opened, pausedAtStep1 } from './opened.ts';
import { ROUTING, type World, type WorldOptions } from './world.ts';

const WEB = { namespace: 'shop', name: 'web' };

const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: { duration: 10 } },
  { replicas: '100%' },
];
const partition: JsonMap = { canary: { steps: STEPS, trafficRoutings: [ROUTING] } };
const canary: JsonMap = {
  canary: { enableExtraWorkloadForCanary: true, steps: STEPS, trafficRoutings: [ROUTING] },
};
const blueGreen: JsonMap = {
  blueGreen: {
    steps: [
      { replicas: '50%', traffic: '0%', pause: {} },
      { replicas: '100%', traffic: '100%', pause: {} },
    ],
    trafficRoutings: [ROUTING],
    scaleDownDelaySeconds: 20,
  },
};

test('partition: pods, then traffic, then old pods, in each step', async () => {
  const world = await pausedAtStep1({ strategy: partition });
  expect(world.ready()).toEqual({ v1: 8, v2: 2 });
  expect(world.weights()).toEqual({ web: 80, 'web-canary': 20 });
  expect(world.endpoints('web')).toEqual({ v1: 8 });
  expect(world.endpoints('web-canary')).toEqual({ v2: 2 });
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  expect(world.ready()).toEqual({ v1: 5, v2: 5 });
  expect(world.weights()).toEqual({ web: 50, 'web-canary': 50 });
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.ready()).toEqual({ v2: 10 });
  expect(world.weights()).toEqual({ web: 100 });
});

test('canary: an extra Deployment beside the paused one, which is gone in the end', async () => {
  const world = await pausedAtStep1({ strategy: canary });
  expect(world.ready()).toEqual({ v1: 10, v2: 2 });
  expect(world.weights()).toEqual({ web: 80, 'web-canary': 20 });
  expect(world.endpoints('web')).toEqual({ v1: 10 });
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.desired()).toEqual({ v2: 10 });
  expect(world.weights()).toEqual({ web: 100 });
});

test('blue-green: a full second set, all traffic at once, the old set kept for a while', async () => {
  const world = await pausedAtStep1({ strategy: blueGreen });
  expect(world.ready()).toEqual({ v1: 10, v2: 5 });
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  expect(world.ready()).toEqual({ v1: 10, v2: 10 });
  expect(world.weights()).toEqual({ web: 0, 'web-canary': 100 });
  world.approve();
  await world.pass(10);
  expect(world.ready()).toEqual({ v1: 10, v2: 10 });
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.desired()).toEqual({ v2: 10 });
  expect(world.weights()).toEqual({ web: 100 });
});

test.each<[string, JsonMap]>([
  ['partition', partition],
  ['canary', canary],
  ['blue-green', blueGreen],
])('%s: the old template, applied again, takes traffic back before pods', async (_, strategy) => {
  const world = await pausedAtStep1({ strategy });
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.desired()).toEqual({ v1: 10 });
  expect(world.weights()).toEqual({ web: 100 });
  expect(world.status()['release']).toMatchObject({ outcome: 'Rollback' });
});

test.each<[string, JsonMap]>([
  ['partition', partition],
  ['canary', canary],
  ['blue-green', blueGreen],
])('%s: a third version takes the place of the second, from step 1 on', async (_, strategy) => {
  const world = await pausedAtStep1({ strategy });
  world.release('v3');
  await world.until('the second version to be gone', () => world.ready()['v2'] === undefined);
  await world.until('step 1 of the third', () => world.stands() === '1 StepPaused');
  expect(world.ready()).not.toHaveProperty('v2');
  world.approve();
  if (strategy === blueGreen) {
    await world.until('step 2', () => world.stands() === '2 StepPaused');
    world.approve();
  }
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.desired()).toEqual({ v3: 10 });
  expect(world.weights()).toEqual({ web: 100 });
});

test.each<[string, JsonMap, Record<string, number>]>([
  ['partition', partition, { 1: 2, 2: 3 }],
  ['canary', canary, { 1: 2, 2: 3 }],
  ['blue-green', blueGreen, { 1: 5, 2: 5 }],
])('%s: pods of the new version say which release made them, and in which step', async (_, strategy, batches) => {
  const world = await pausedAtStep1({ strategy });
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  await world.pass(0.1);
  expect(world.batches('v2')).toEqual(batches);
});

const styles: [string, JsonMap][] = [
  ['partition', partition],
  ['canary', canary],
  ['blue-green', blueGreen],
];

test.each(styles)(
  '%s: proxies have a second to know the canary Service before anything leads to it',
  async (_, strategy) => {
    const since = new Map<string, number>();
    const first = (what: string, isSo: boolean, now: number): void => {
      if (isSo && !since.has(what)) since.set(what, now);
    };
    const onRest = ({ cluster, clock, weights }: World): void => {
      const services = cluster.list(RESOURCES.service).map((service) => stringAt(service, 'metadata', 'name'));
      first('made', services.includes('web-canary'), clock.monotonic());
      first('led to', 'web-canary' in weights(), clock.monotonic());
    };
    await pausedAtStep1({ strategy, onRest, native: { readyAfter: () => 100 } });
    expect((since.get('led to') ?? 0) - (since.get('made') ?? 0)).toBeGreaterThanOrEqual(1000);
  },
);

test.each(styles)(
  '%s: what is asked between a write of the status and its answer is carried out',
  async (_, strategy) => {
    const world = await opened({ strategy });
    const { patch } = world.cluster;
    let isAsked = false;
    world.cluster.patch = async (...call) => {
      const answer = await patch.apply(world.cluster, call);
      if (isAsked || !JSON.stringify(call[3]).includes('"currentStepState":"StepPaused"')) return answer;
      isAsked = true;
      world.request({}, { request: 'promote' });
      // The watch is faster than the answer.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      return answer;
    };
    world.release('v2');
    await world.until('the end', () => isAsked && world.stands() === 'Healthy');
    expect(world.desired()).toEqual({ v2: 10 });
  },
);

test.each(styles.map(([style]) => style))(
  '%s: the old template, applied again while traffic moves, leaves the new version its pods until it has no traffic',
  async (style) => {
    const [step, trafficRoutings] = [{ traffic: '10%', replicas: 1, pause: {} }, [ROUTING]];
    const strategy: JsonMap =
      style === 'blue-green'
        ? { blueGreen: { steps: [step, { traffic: '100%', replicas: '100%' }], trafficRoutings } }
        : { canary: { steps: [step], trafficRoutings, enableExtraWorkloadForCanary: style === 'canary' } };
    let moments = 0;
    // From the moment in which its first pod is ready, through the grace period, to the pause.
    for (let tenths = 10; tenths <= 46; tenths += 4) {
      const spec = { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };
      const world = await opened({ strategy, spec, native: { seed: tenths } });
      world.release('v2');
      await world.pass(tenths / 10);
      if (!('web-canary' in world.weights())) continue;
      moments += 1;
      const [before, stands] = [world.cluster.story.length, world.stands()];
      world.release('v1');
      await world.until('the end', () => world.stands() === 'Healthy');
      const story = world.cluster.story.slice(before);
      const home = story.findIndex((line) => line.endsWith('sluice-controller updates VirtualService web'));
      const gone = story.findIndex((line) => /ReplicaSet \S+: 0, 1 ready/.test(line));
      const told = `${tenths / 10} s, ${stands}:\n${story.slice(0, 20).join('\n')}`;
      expect(home, told).toBeGreaterThan(0);
      if (gone >= 0) expect(gone, told).toBeGreaterThan(home);
    }
    expect(moments).toBeGreaterThan(5);
  },
);

async function toTheEnd(world: World, version: string, replicas = 10): Promise<void> {
  for (let i = 0; i < 5 && world.stands() !== 'Healthy'; i++) {
    await world.until('a pause or the end', () => /StepPaused|Healthy/.test(world.stands()));
    if (world.stands() === 'Healthy') break;
    const before = world.stands();
    world.approve();
    await world.until('the next state', () => world.stands() !== before);
  }
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.desired()).toEqual({ [version]: replicas });
  expect(world.ready()).toEqual({ [version]: replicas });
  expect(world.weights()).toEqual({ web: 100 });
}

test.each(styles)(
  '%s: scaled up and down in a pause, both versions follow, and the release ends at the new size',
  async (_, strategy) => {
    const world = await opened({ strategy });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.scale(20);
    await world.pass(20);
    const grown = world.ready();
    expect(grown['v1']).toBeGreaterThanOrEqual(16);
    expect(grown['v2']).toBeGreaterThanOrEqual(strategy === blueGreen ? 10 : 4);
    world.scale(4);
    await world.pass(20);
    expect(world.ready()['v1']).toBeGreaterThanOrEqual(3);
    expect(world.ready()['v2']).toBeGreaterThanOrEqual(1);
    await toTheEnd(world, 'v2', 4);
  },
);

test.each(styles.flatMap(([style]) => ['by a step', 'by its owner'].map((by) => [style, by] as const)))(
  '%s, paused %s: scaled up, and seen so by us before the native controller, the old version gets the pods for its traffic',
  async (style, by) => {
    const steps: JsonMap[] = [{ traffic: '20%', replicas: 1, pause: {} }];
    const trafficRoutings = [ROUTING];
    const strategy: JsonMap =
      style === 'blue-green'
        ? { blueGreen: { steps: [...steps, { traffic: '100%', replicas: '100%' }], trafficRoutings } }
        : { canary: { steps, trafficRoutings, enableExtraWorkloadForCanary: style === 'canary' } };
    const spec = { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };
    for (const [before, after] of [
      [2, 3],
      [4, 9],
      [3, 20],
    ] as const) {
      const world = await pausedAtStep1({ strategy, spec, replicas: before, native: { seed: after } });
      if (by === 'by its owner') {
        world.plan({ ...strategy, paused: true });
        await world.pass(1);
      }
      world.scale(after);
      // Native controllers act when time passes, ours at once.
      for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
      await world.pass(20);
      expect(trafficProblems({ ...world.traffic(), mayMiss: 0 }), JSON.stringify(world.ready())).toEqual([]);
    }
  },
);

test.each(styles)(
  '%s: scaled to 0 and back the release begins again at step 1, and no pod of the new version comes first',
  async (_, strategy) => {
    const world = await opened({ strategy });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.scale(0);
    await world.pass(20);
    expect(world.desired()).toEqual({});
    world.scale(10);
    await world.until('the old version', () => world.ready()['v1'] === 10);
    await toTheEnd(world, 'v2');
  },
);

test('canary: the old version, applied again, scaled to 0, of a Rollout that is deleted and created again: comes to rest', async () => {
  const world = await opened({ strategy: canary });
  world.release('v2');
  await world.pass(1.1);
  world.release('v1');
  await world.pass(0.1);
  world.scale(0);
  await world.pass(0.1);
  world.cluster.erase(RESOURCES.rollout, { namespace: 'shop', name: 'web' });
  world.plan(canary);
  await world.pass(10);
  world.scale(10);
  await world.until('the end', () => world.stands() === 'Healthy' && world.ready()['v1'] === 10);
  expect(leftovers(world)).toEqual([]);
});

test.each(styles)(
  '%s: scaled to 0 in a step, and back in the moment in which the old version comes',
  async (_, strategy) => {
    // Who comes first decides: the controller of Deployments, or ours.
    const world = await opened({ strategy, native: { seed: 5 } });
    world.release('v2');
    await world.until('traffic', () => world.stands() === '1 StepTrafficRouting');
    world.scale(0);
    await world.pass(0.1);
    world.scale(5);
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy');
    expect(world.ready()).toEqual({ v1: 5 });
    expect(leftovers(world)).toEqual([]);
  },
);

test('partition: scaled down to 1 while the workload cannot be written for a moment, no version with traffic is without a pod', async () => {
  const steps = [{ traffic: '50%', replicas: '50%', pause: {} }, { replicas: '100%' }];
  const problems: string[] = [];
  const world = await pausedAtStep1({
    strategy: { canary: { steps, trafficRoutings: [ROUTING] } },
    replicas: 4,
    native: { seed: 2 },
    onRest: (seen) => {
      if (seen.traffic().replicas === 1) problems.push(...trafficProblems(seen.traffic()));
    },
  });
  expect(world.ready()).toEqual({ v1: 2, v2: 2 });
  const end = world.milliseconds() + 1000;
  world.cluster.onWrite = (what) => {
    if (what === 'patch Deployment shop/web' && world.milliseconds() < end)
      throw new ApiError(409, 'Conflict', 'the object has been modified');
  };
  world.scale(1);
  await world.pass(10);
  expect(problems).toEqual([]);
  expect(world.ready()).toEqual({ v1: 1, v2: 1 });
});

test.each(styles)('%s: abort takes everything back and holds the version; retry begins again', async (_, strategy) => {
  const world = await pausedAtStep1({ strategy });
  world.request({}, { request: 'abort' });
  await world.until('the pods to be gone', () => world.desired()['v2'] === undefined);
  await world.until('the hold', () => String(world.status()['message']).includes('kubectl sluice retry'));
  expect(world.ready()).toEqual({ v1: 10 });
  expect(world.weights()).toEqual({ web: 100 });
  await world.pass(60);
  expect(world.ready()).toEqual({ v1: 10 });
  world.request({}, { request: 'retry' });
  await world.until('the release to begin again', () => world.stands() === '1 StepPaused');
  await toTheEnd(world, 'v2');
});

test.each(styles)('%s: promoted, it goes through all steps without a pause', async (_, strategy) => {
  const world = await pausedAtStep1({ strategy });
  world.request({}, { request: 'promote' });
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.desired()).toEqual({ v2: 10 });
});

test.each(styles)('%s: a jump back takes traffic back and leaves the pods', async (_, strategy) => {
  const world = await pausedAtStep1({ strategy });
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  const before = world.desired();
  world.request({ nextStepIndex: 1 });
  await world.until('step 1 again', () => world.stands() === '1 StepPaused');
  expect(world.desired()['v2']).toBe(before['v2']);
  expect(world.weights()['web-canary'] ?? 0).toBe(strategy === blueGreen ? 0 : 20);
  await toTheEnd(world, 'v2');
});

test.each(styles)(
  '%s: paused by its owner everything rests where it is, a rollback included in what is looked at',
  async (_, strategy) => {
    const world = await opened({ strategy });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.plan({ ...strategy, paused: true });
    await world.pass(1);
    world.approve();
    const before = world.desired();
    await world.pass(60);
    expect(world.desired()).toEqual(before);
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy');
    expect(world.desired()).toEqual({ v1: 10 });
  },
);

test.each(styles)(
  '%s: a version whose pods never become ready waits, says so, and can be taken back',
  async (_, strategy) => {
    const readyAfter = (pod: JsonMap) => (JSON.stringify(pod).includes('web:v2') ? ('never' as const) : 1_000);
    const world = await opened({ strategy, native: { readyAfter } });
    world.release('v2');
    await world.until(
      'the deadline',
      () => JSON.stringify(world.status()['conditions']).includes('DeadlineExceeded'),
      700,
    );
    expect(world.ready()).toEqual({ v1: 10 });
    expect(world.weights()).toEqual({ web: 100 });
    expect(world.events.join('\n')).toContain('Warning DeadlineExceeded Rollout/web');
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy');
    expect(world.desired()).toEqual({ v1: 10 });
  },
);

test.each([
  ['sluice.dev/floor', '3/10'],
  ['sluice.dev/pod-metadata', '{"labels":{"x":"y"},"annotations":{}}'],
])('a workload that bears %s, which belongs on ReplicaSets, is released all the same', async (key, value) => {
  const world = await opened({ strategy: partition });
  world.cluster.edit(RESOURCES.deployment, { namespace: 'shop', name: 'web' }, (live) => {
    const metadata = live['metadata'] as JsonMap;
    return {
      ...live,
      metadata: { ...metadata, annotations: { ...(metadata['annotations'] as JsonMap), [key]: value } },
    };
  });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  await toTheEnd(world, 'v2');
});

test('pods that fall ill and recover again and again are no progress: the deadline passes', async () => {
  const strategy = {
    canary: { ...(partition['canary'] as JsonMap), progressDeadlineSeconds: 60, onFailure: 'rollback' },
  };
  const world = await opened({ strategy, native: broken('v2') });
  world.release('v2');
  await world.until('its pods', () => world.desired()['v2'] === 2);
  const isNew = (pod: JsonMap) => JSON.stringify(pod).includes('web:v2"');
  const flapping = world.cluster.list(RESOURCES.pod, 'shop').find(isNew);
  const name = { namespace: 'shop', name: stringAt(flapping ?? {}, 'metadata', 'name') ?? '' };
  for (let seconds = 0; seconds < 70; seconds += 2) {
    const isThere = world.cluster
      .list(RESOURCES.pod, 'shop')
      .some((pod) => stringAt(pod, 'metadata', 'name') === name.name);
    if (isThere) world.cluster.setReady(name, seconds % 4 === 0 ? 'True' : 'False');
    await world.pass(2);
  }
  await world.until('the way back', () => JSON.stringify(world.status()['release'] ?? {}).includes('Failure'), 5);
});

test('with onFailure: rollback a version without progress is taken back and held', async () => {
  const readyAfter = (pod: JsonMap) => (JSON.stringify(pod).includes('web:v2') ? ('never' as const) : 1_000);
  const strategy = {
    canary: { ...(partition['canary'] as JsonMap), progressDeadlineSeconds: 30, onFailure: 'rollback' },
  };
  const world = await opened({ strategy, native: { readyAfter } });
  world.release('v2');
  await world.until('the way back', () => JSON.stringify(world.status()['release'] ?? {}).includes('Failure'));
  await world.until('the pods to be gone', () => world.desired()['v2'] === undefined);
  await world.pass(60);
  expect(world.ready()).toEqual({ v1: 10 });
  world.release('v3');
  await world.until('step 1 of the third', () => world.stands() === '1 StepPaused');
  await toTheEnd(world, 'v3');
});

test.each(styles)(
  '%s: disabled in the middle, traffic opens and the new version comes out natively',
  async (_, strategy) => {
    const world = await opened({ strategy });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    const rollout = world.rollout();
    world.cluster.apply({
      apiVersion: 'rollouts.kruise.io/v1beta1',
      kind: 'Rollout',
      metadata: { namespace: 'shop', name: 'web' },
      spec: { ...(rollout['spec'] as JsonMap), disabled: true },
    });
    await world.until('the end', () => world.stands() === 'Disabled');
    await world.until('the new version', () => world.ready()['v2'] === 10 && world.ready()['v1'] === undefined);
    expect(world.weights()).toEqual({ web: 100 });
  },
);

test.each(styles)('%s: a workload of type Recreate is held and says what to write instead', async (_, strategy) => {
  const world = await opened({ strategy, spec: { strategy: { type: 'Recreate' } } });
  world.release('v2');
  await world.pass(30);
  expect(world.desired()).toEqual({ v1: 10 });
  expect(world.status()['message']).toContain('spec.strategy.type: RollingUpdate');
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.desired()).toEqual({ v1: 10 });
});

test.each(styles)(
  '%s: a Rollout with the finalizer of OpenKruise, deleted in the middle, takes everything back first and then goes',
  async (_, strategy) => {
    const world = await opened({ strategy });
    world.cluster.edit(RESOURCES.rollout, WEB, (live) => ({
      ...live,
      metadata: { ...(live['metadata'] as JsonMap), finalizers: ['rollouts.kruise.io/rollout'] },
    }));
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.cluster.erase(RESOURCES.rollout, WEB);
    await world.until('the Rollout to go', () => world.cluster.list(RESOURCES.rollout, 'shop').length === 0);
    expect(world.ready()).toEqual({ v1: 10 });
    expect(world.weights()).toEqual({ web: 100 });
  },
);

test('at rest it goes at once', async () => {
  const world = await opened({ strategy: partition });
  world.cluster.edit(RESOURCES.rollout, WEB, (live) => ({
    ...live,
    metadata: { ...(live['metadata'] as JsonMap), finalizers: ['rollouts.kruise.io/rollout'] },
  }));
  world.cluster.erase(RESOURCES.rollout, WEB);
  await world.until('the Rollout to go', () => world.cluster.list(RESOURCES.rollout, 'shop').length === 0, 5);
});

test('with onFailure: rollback a step may wait for its approval as long as it takes', async () => {
  const strategy = {
    canary: { ...(partition['canary'] as JsonMap), progressDeadlineSeconds: 30, onFailure: 'rollback' },
  };
  const world = await pausedAtStep1({ strategy });
  await world.pass(120);
  expect(world.stands()).toBe('1 StepPaused');
  expect(JSON.stringify(world.status()['conditions'])).not.toContain('DeadlineExceeded');
});

test('an approval after the deadline approves, whatever onFailure says', async () => {
  const strategy = {
    canary: { ...(partition['canary'] as JsonMap), progressDeadlineSeconds: 30, onFailure: 'rollback' },
  };
  const world = await pausedAtStep1({ strategy });
  await world.pass(120);
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  expect(world.ready()).toEqual({ v1: 5, v2: 5 });
});

test.each(styles)(
  '%s: scaled to 0 and back in a pause by spec, no pod of the new version comes first',
  async (_, strategy) => {
    const world = await opened({ strategy });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.plan({ ...strategy, paused: true });
    await world.pass(5);
    world.scale(0);
    await world.pass(20);
    world.scale(10);
    await world.pass(30);
    expect(world.ready()).toEqual({ v1: 10 });
    world.plan(strategy);
    await toTheEnd(world, 'v2');
  },
);

test.each(styles)('%s: scaled to 0 and back after an abort, the old version comes up', async (_, strategy) => {
  const world = await pausedAtStep1({ strategy });
  world.request({}, { request: 'abort' });
  await world.until('the hold', () => String(world.status()['message']).includes('kubectl sluice retry'));
  world.scale(0);
  await world.pass(20);
  world.scale(10);
  await world.pass(30);
  expect(world.ready()).toEqual({ v1: 10 });
});

test.each(styles)(
  '%s: a workload that is deleted in the middle leaves nothing of the release behind',
  async (_, strategy) => {
    const world = await opened({ strategy });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.cluster.erase(RESOURCES.deployment, WEB);
    await world.until('the end', () => world.status()['phase'] === 'Initial');
    await world.pass(30);
    expect(world.weights()).toEqual({ web: 100 });
    expect(world.cluster.list(RESOURCES.deployment, 'shop')).toEqual([]);
    expect(world.cluster.list(RESOURCES.service, 'shop')).toHaveLength(1);
  },
);

test('in blue-green an abort while the old pods are kept takes the traffic back at once', async () => {
  const world = await pausedAtStep1({ strategy: blueGreen });
  world.request({}, { request: 'promote' });
  await world.until('the delay', () => String(world.status()['message']).includes('the way back is instant'));
  world.request({}, { request: 'abort' });
  await world.until('the way back', () => world.weights()['web'] === 100, 10);
  await world.pass(60);
  expect(world.ready()).toEqual({ v1: 10 });
});

const half: JsonMap = { steps: [{ traffic: '50%', replicas: '50%', pause: {} }], trafficRoutings: [ROUTING] };
const whole: JsonMap = { steps: [{ traffic: '50%', replicas: '100%', pause: {} }], trafficRoutings: [ROUTING] };

test.each<[string, JsonMap, number]>([
  ['partition, on the way to the step', { canary: half }, 30],
  ['partition', { canary: half }, 50],
  ['canary', { canary: { ...half, enableExtraWorkloadForCanary: true } }, 50],
  ['blue-green', { blueGreen: whole }, 50],
  ['blue-green, at the end', { blueGreen: whole }, 100],
])(
  '%s: the old version, applied again just when traffic has moved, takes no pod of the new one that has traffic',
  async (_, strategy, weight) => {
    const spec = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 0 } } };
    // Whether the native controller counts the old pods as available for a moment depends on who comes first.
    for (const seed of [3, 4, 6]) {
      const world = await opened({ strategy, spec, native: { seed } });
      world.release('v2');
      if (weight === 100) {
        await world.until('the pause', () => world.stands() === '1 StepPaused');
        world.approve();
      }
      await world.until('the traffic', () => world.weights()['web-canary'] === weight);
      const end = world.milliseconds() + 1000;
      world.cluster.onWrite = (what) => {
        if (what === 'patch VirtualService shop/web' && world.milliseconds() < end)
          throw new ApiError(409, 'Conflict', 'the object has been modified');
      };
      world.release('v1');
      await world.pass(0.5);
      expect(world.weights()).toEqual({ web: 100 - weight, 'web-canary': weight });
      expect(world.ready()['v2']).toBeGreaterThanOrEqual(weight / 10);
      await world.until('the end', () => world.stands() === 'Healthy');
      expect(world.ready()).toEqual({ v1: 10 });
      expect(leftovers(world)).toEqual([]);
    }
  },
);

test('with one pod, and no room beside it, the old one stays as long as it has traffic', async () => {
  const spec = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } };
  const world = await pausedAtStep1({ strategy: partition, replicas: 1, spec });
  expect(world.ready()).toEqual({ v1: 1, v2: 1 });
  await toTheEnd(world, 'v2', 1);
});

const annotated = (onDelete: string) => ({ 'sluice.dev/on-delete': onDelete });

test.each(styles)(
  '%s: a Rollout that is deleted in the middle takes the traffic back and holds the rest; applied again, the old version is given back',
  async (_, strategy) => {
    const world = await opened({ strategy });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.cluster.erase(RESOURCES.rollout, WEB);
    await world.pass(30);
    expect(world.weights()).toEqual({ web: 100 });
    expect(world.ready()['v1']).toBe(10);
    expect(world.endpoints('web')).toEqual({ v1: 10 });
    expect(world.events.join('\n')).toContain('Warning RolloutGone Deployment/web');
    world.release('v1');
    await world.pass(30);
    expect(world.ready()).toEqual({ v1: 10 });
    expect(leftovers(world)).toEqual([]);
    expectFree(world);
  },
);

/** Nothing of ours waits for a new version of the workload any more, as before there was a Rollout. */
function expectFree(world: World): void {
  const workload = world.cluster.read(RESOURCES.deployment, WEB);
  expect(Object.keys(at(workload, ['metadata', 'annotations']) ?? {}).filter(isOwnKey)).toEqual([]);
}

/** What `kubectl sluice resume` writes where the Rollout is gone. */
function resume(world: World): void {
  const template = at(world.cluster.read(RESOURCES.deployment, WEB), ['spec', 'template']);
  world.cluster.edit(RESOURCES.deployment, WEB, (live) => {
    const metadata = live['metadata'] as JsonMap;
    const annotations = { ...(metadata['annotations'] as JsonMap), 'sluice.dev/resume': templateHash(template) };
    return { ...live, metadata: { ...metadata, annotations } };
  });
}

test.each(
  styles.flatMap(([style, strategy]) =>
    (['hold', 'rollback'] as const).map((onDelete) => [style, onDelete, strategy] as const),
  ),
)(
  '%s: held after its Rollout was deleted (%s) and resumed, the version comes out natively',
  async (_, onDelete, strategy) => {
    const world = await pausedAtStep1({ strategy, annotations: annotated(onDelete) });
    world.cluster.erase(RESOURCES.rollout, WEB);
    await world.until('the hold', () => world.events.join('\n').includes('RolloutGone'));
    await world.pass(30);
    expect(world.ready()['v1']).toBe(10);
    resume(world);
    await world.until('the new version', () => world.ready()['v2'] === 10 && world.ready()['v1'] === undefined);
    await world.pass(5);
    expect(world.weights()).toEqual({ web: 100 });
    expect(world.endpoints('web')).toEqual({ v2: 10 });
    expect(leftovers(world)).toEqual([]);
  },
);

test('resumed while its traffic is still on the way back, it opens Services before traffic, and gives the workload back after that', async () => {
  const world = await pausedAtStep1({ strategy: partition });
  world.cluster.erase(RESOURCES.rollout, WEB);
  resume(world);
  await world.until('the traffic', () => world.weights()['web'] === 100);
  expect(world.endpoints('web')).toEqual({ v1: 8, v2: 2 });
  await world.until('the new version', () => world.ready()['v2'] === 10);
  expect(leftovers(world)).toEqual([]);
});

test('what was resumed is one version: another one that is applied stays held', async () => {
  const world = await pausedAtStep1({ strategy: partition });
  world.cluster.erase(RESOURCES.rollout, WEB);
  await world.pass(30);
  const v2 = world.cluster.read(RESOURCES.deployment, WEB);
  world.release('v3');
  const stale = templateHash(at(v2, ['spec', 'template']));
  world.cluster.edit(RESOURCES.deployment, WEB, (live) => {
    const metadata = live['metadata'] as JsonMap;
    return {
      ...live,
      metadata: { ...metadata, annotations: { ...(metadata['annotations'] as JsonMap), 'sluice.dev/resume': stale } },
    };
  });
  await world.pass(60);
  expect(world.ready()['v1']).toBe(10);
  expect(world.ready()['v3']).toBeUndefined();
});

test.each(styles)('%s: deleted with on-delete: rollback, it takes the pods back, too', async (_, strategy) => {
  const world = await opened({ strategy, annotations: annotated('rollback') });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.cluster.erase(RESOURCES.rollout, WEB);
  await world.pass(30);
  expect(world.weights()).toEqual({ web: 100 });
  expect(world.ready()).toEqual({ v1: 10 });
});

test.each(styles)('%s: deleted with on-delete: complete, the new version comes out natively', async (_, strategy) => {
  const world = await opened({ strategy, annotations: annotated('complete') });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.cluster.erase(RESOURCES.rollout, WEB);
  await world.pass(60);
  expect(world.weights()).toEqual({ web: 100 });
  expect(world.ready()).toEqual({ v2: 10 });
  expect(leftovers(world)).toEqual([]);
  expectFree(world);
});

/** Pods of the versions in it never become ready. */
const broken = (...versions: string[]) => ({
  readyAfter: (pod: JsonMap) =>
    versions.some((version) => JSON.stringify(pod).includes(`web:${version}"`)) ? ('never' as const) : 1_000,
});

test.each(styles)(
  '%s: where the old version falls ill, the one that mends it is released all the same',
  async (_, strategy) => {
    const world = await opened({ strategy });
    for (const pod of world.cluster.list(RESOURCES.pod, 'shop'))
      world.cluster.setReady({ namespace: 'shop', name: String(at(pod, ['metadata', 'name'])) }, 'False');
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    expect(world.ready()).toEqual({ v2: strategy === blueGreen ? 5 : 2 });
    world.request({}, { request: 'promote' });
    await world.until('the end', () => world.stands() === 'Healthy', 200);
    expect(world.ready()).toEqual({ v2: 10 });
  },
);

test.each<[string, JsonMap]>([
  ['partition', { canary: { steps: [{ replicas: 1 }], trafficRoutings: [ROUTING] } }],
  ['canary', { canary: { enableExtraWorkloadForCanary: true, steps: [{ replicas: 1 }], trafficRoutings: [ROUTING] } }],
])('%s: a version that falls ill in the native rollout at the end can be taken back', async (_, strategy) => {
  let made = 0;
  const readyAfter = (pod: JsonMap) => {
    if (!JSON.stringify(pod).includes('web:v2"')) return 1_000;
    made += 1;
    return made > 1 ? ('never' as const) : 1_000;
  };
  const world = await opened({ strategy, native: { readyAfter } });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.approve();
  await world.until('the native rollout', () => String(world.status()['message']).includes('the native rollout'));
  await world.pass(30);
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
  await world.pass(5); // its owner's maxUnavailable lets two more pods come back after the end
  expect(world.ready()).toEqual({ v1: 10 });
  expect(leftovers(world)).toEqual([]);
});

test.each(styles)(
  '%s: a third version that came past the webhook is held as soon as it is seen',
  async (_, strategy) => {
    const world = await opened({ strategy, native: broken('v3') });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.cluster.webhook = 'fails open';
    world.release('v3');
    await world.pass(20);
    world.cluster.webhook = 'answers';
    await world.until('the old version at full size', () => world.ready()['v1'] === 10, 60);
    expect(world.status()['release']).toMatchObject({
      canaryTemplate: templateHash(at(world.cluster.read(RESOURCES.deployment, WEB), ['spec', 'template'])),
    });
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy');
    expect(world.ready()).toEqual({ v1: 10 });
  },
);

test.each(styles)('%s: the old version, applied past the webhook, takes everything back', async (_, strategy) => {
  const world = await opened({ strategy });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.cluster.webhook = 'fails open';
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.ready()).toEqual({ v1: 10 });
  expect(world.weights()).toEqual({ web: 100 });
});

/** Version v2 has come out past the webhook as far as it could, which answers again. */
async function nativelyOnTheWay(strategy: JsonMap, native: WorldOptions['native'] = {}, seconds = 20): Promise<World> {
  const world = await opened({ strategy, native });
  world.cluster.webhook = 'fails open';
  world.release('v2');
  await world.pass(seconds);
  world.cluster.webhook = 'answers';
  return world;
}

test.each(styles)(
  '%s: the version before, applied again over one that never came out whole, is back at once',
  async (_, strategy) => {
    const world = await nativelyOnTheWay(strategy, broken('v2'));
    expect(world.ready()).toEqual({ v1: 8 });
    world.release('v1');
    await world.until('the end', () => world.status()['release'] !== undefined && world.stands() === 'Healthy', 30);
    expect(world.status()['release']).toMatchObject({ outcome: 'Rollback' });
    await world.pass(5); // its owner's maxUnavailable lets two more pods come back after the end
    expect(world.ready()).toEqual({ v1: 10 });
    expect(leftovers(world)).toEqual([]);
  },
);

test.each(styles)(
  '%s: over a version that never came out whole another one is released, from the one that serves; which takes it back',
  async (_, strategy) => {
    const world = await nativelyOnTheWay(strategy, broken('v2'));
    world.release('v3');
    await world.until('step 1', () => world.stands() === '1 StepPaused', 60);
    expect(world.serving()).toBe('v1');
    expect(world.ready()).toEqual({ v1: strategy === partition ? 8 : 10, v3: strategy === blueGreen ? 5 : 2 });
    expect(world.endpoints('web')).toEqual({ v1: strategy === partition ? 8 : 10 });
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy');
    await world.pass(5);
    expect(world.ready()).toEqual({ v1: 10 });
    expect(leftovers(world)).toEqual([]);
  },
);

test.each(styles)(
  '%s: a version that has its pods natively is what the next one is released from, also while an old pod is left',
  async (_, strategy) => {
    const world = await opened({ strategy, spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } } });
    world.cluster.webhook = 'fails open';
    world.release('v2');
    await world.until('its last pod', () => world.ready()['v2'] === 10);
    world.cluster.webhook = 'answers';
    world.release('v3');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    expect(world.serving()).toBe('v2');
    expect(world.ready()).not.toHaveProperty('v1');
  },
);

test.each(styles)(
  '%s: created again while the new version has most of the pods, a release goes on and takes nothing for released',
  async (_, strategy) => {
    const most = { replicas: '80%', pause: {} };
    const { canary: plan, blueGreen: twoSets } = strategy as { canary?: JsonMap; blueGreen?: JsonMap };
    const changed = plan ? { canary: { ...plan, steps: [most] } } : { blueGreen: { ...twoSets, steps: [most] } };
    const world = await pausedAtStep1({ strategy: changed });
    expect(world.ready()['v2']).toBe(8);
    world.forget();
    world.plan(changed);
    await world.pass(0.1);
    expect(world.serving()).toBe('v1');
    await world.until('step 1 again', () => world.stands() === '1 StepPaused');
    expect(world.serving()).toBe('v1');
  },
);
