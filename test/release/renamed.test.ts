import { expect, onTestFinished, test } from 'vitest';
import { DIRECTIVE_PREFIX } from '../../src/api/names.ts';
import { at, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { leftovers, trafficProblems } from './invariants.ts';
import { openWorld, ROUTING, type World } from './world.ts';

const WEB = { namespace: 'shop', name: 'web' };
const RENAMED = { namespace: 'shop', name: 'renamed' };

const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
];
const styles: [string, JsonMap][] = [
  ['partition', { canary: { steps: STEPS, trafficRoutings: [ROUTING] } }],
  ['canary', { canary: { enableExtraWorkloadForCanary: true, steps: STEPS, trafficRoutings: [ROUTING] } }],
  [
    'blue-green',
    {
      blueGreen: {
        steps: [
          { replicas: '50%', traffic: '0%', pause: {} },
          { replicas: '100%', traffic: '100%', pause: {} },
        ],
        trafficRoutings: [ROUTING],
        scaleDownDelaySeconds: 5,
      },
    },
  ],
];

/** Version v2 waits for an approval in step 1; what traffic meets from then on is told. */
async function pausedAtStep1(strategy: JsonMap): Promise<{ world: World; problems: Set<string> }> {
  const problems = new Set<string>();
  let isTakenOver = false;
  const onRest = (world: World) => {
    for (const problem of trafficProblems(world.traffic())) problems.add(problem);
    isTakenOver ||= isPaused(world, 1);
    const versions = Object.keys(world.endpoints('web'));
    if (versions.length > 1 && !isTakenOver) problems.add(`web leads to ${versions.join(' and ')}`);
  };
  let isWatched = false;
  const world = await openWorld({ strategy, onRest: (each) => (isWatched ? onRest(each) : undefined) });
  onTestFinished(() => world.close());
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  isWatched = true;
  return { world, problems };
}

/** Keys of the directives on the workload. */
function directives(world: World): string[] {
  const annotations = at(world.cluster.read(RESOURCES.deployment, WEB), ['metadata', 'annotations']) as JsonMap;
  return Object.keys(annotations).filter((key) => key.startsWith(DIRECTIVE_PREFIX));
}

function create(world: World, strategy: JsonMap): void {
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  const [apiVersion, kind] = ['rollouts.kruise.io/v1beta1', 'Rollout'];
  world.cluster.apply({ apiVersion, kind, metadata: RENAMED, spec: { workloadRef, strategy } });
}

function status(world: World): JsonMap {
  const rollouts = world.cluster.list(RESOURCES.rollout, 'shop');
  const found = rollouts.find((each) => stringAt(each, 'metadata', 'name') === RENAMED.name);
  return (found?.['status'] ?? {}) as JsonMap;
}

const isPaused = (world: World, step: number) =>
  status(world)['currentStepIndex'] === step && status(world)['currentStepState'] === 'StepPaused';

function approve(world: World): void {
  world.cluster.editStatus(RESOURCES.rollout, RENAMED, (before) => {
    const sub = 'blueGreenStatus' in before ? 'blueGreenStatus' : 'canaryStatus';
    return { ...before, [sub]: { ...(before[sub] as JsonMap), currentStepState: 'StepReady' } };
  });
}

async function toTheEnd(world: World): Promise<void> {
  for (const step of [1, 2]) {
    await world.until(`step ${step}`, () => isPaused(world, step));
    approve(world);
  }
  await world.until('the end', () => status(world)['phase'] === 'Healthy', 200);
}

test.each(styles)(
  '%s: a Rollout that gets another name in a release goes on with it, from step 1',
  async (_, strategy) => {
    const { world, problems } = await pausedAtStep1(strategy);
    world.forget();
    create(world, strategy);
    await world.until('step 1', () => isPaused(world, 1));
    expect(directives(world)).toEqual([`${DIRECTIVE_PREFIX}renamed`]);
    await toTheEnd(world);
    await world.pass(5);
    expect(world.ready()).toEqual({ v2: 10 });
    expect(leftovers(world)).toEqual([]);
    expect([...problems]).toEqual([]);
  },
);

test.each(styles)('%s: … with the old version as the stable one for whatever is applied next', async (_, strategy) => {
  const { world, problems } = await pausedAtStep1(strategy);
  world.forget();
  create(world, strategy);
  world.release('v3');
  await world.until('step 1', () => isPaused(world, 1));
  expect(Object.keys(world.ready()).sort()).toEqual(['v1', 'v3']);
  world.release('v1');
  await world.until('the end', () => status(world)['phase'] === 'Healthy');
  await world.pass(5);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(leftovers(world)).toEqual([]);
  expect([...problems]).toEqual([]);
});

test.each(styles)(
  '%s: a Rollout of another name, created later, takes over what was left held',
  async (_, strategy) => {
    const { world, problems } = await pausedAtStep1(strategy);
    world.forget();
    await world.pass(30);
    create(world, strategy);
    await toTheEnd(world);
    await world.pass(5);
    expect(world.ready()).toEqual({ v2: 10 });
    expect(leftovers(world)).toEqual([]);
    expect([...problems]).toEqual([]);
  },
);

test.each(styles)(
  '%s: until the traffic of the one that is gone is back it says what it waits for',
  async (_, strategy) => {
    const { world } = await pausedAtStep1(strategy);
    world.forget();
    create(world, strategy);
    await world.pass(0.1);
    const said = String(status(world)['message']);
    expect(said).toBe(
      'spec.workloadRef: this workload is in a release of Rollout shop/web, which is gone; this one takes it over when traffic is back on the old version',
    );
    expect(JSON.stringify(status(world)['conditions'])).toContain('WorkloadTaken');
    await world.until('step 1', () => isPaused(world, 1));
    expect(JSON.stringify(status(world)['conditions'])).not.toContain('WorkloadTaken');
    expect(stringAt(status(world), 'phase')).toBe('Progressing');
  },
);
