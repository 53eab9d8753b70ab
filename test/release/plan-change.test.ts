import { describe, expect, test } from 'vitest';
import type { Rollout } from '../../src/api/generated.ts';
import { type JsonMap, member } from '../../src/json/value.ts';
import { planHash } from '../../src/release/plan-hash.ts';
import { trafficProblems } from './invariants.ts';
import { opened } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/** The plan of a release is changed while it goes on (compat §2.5). */

const step = (percent: number, change: JsonMap = {}): JsonMap => ({
  ...{ traffic: `${percent}%`, replicas: `${percent}%`, pause: {} },
  ...change,
});
const LAST: JsonMap = { replicas: '100%' };
const PLAN: readonly JsonMap[] = [step(20), step(40), step(50), LAST];

const STYLES = ['partition', 'canary', 'blue-green'] as const;
type StyleName = (typeof STYLES)[number];

function styled(style: StyleName, steps: readonly JsonMap[]): JsonMap {
  const plan = { steps, trafficRoutings: [ROUTING] };
  if (style === 'blue-green') return { blueGreen: plan };
  return { canary: style === 'canary' ? { ...plan, enableExtraWorkloadForCanary: true } : plan };
}

/** A release of 10 pods that waits in a step; what traffic misses on the way is collected. */
async function standing(style: StyleName, at: number, problems: string[] = []): Promise<World> {
  const onRest = ({ traffic }: World) => void problems.push(...trafficProblems(traffic()));
  const world = await opened({ strategy: styled(style, PLAN), onRest });
  problems.length = 0; // while the shop opened, nothing was ready yet
  world.release('v2');
  for (let each = 1; each <= at; each++) {
    await world.until(`step ${each}`, () => world.stands() === `${each} StepPaused`);
    if (each < at) world.approve();
  }
  return world;
}

const told = (world: World) => world.events.filter((event) => event.includes('the plan has changed'));

function storedHash(world: World): unknown {
  const { canaryStatus, blueGreenStatus } = world.status();
  return member(canaryStatus ?? blueGreenStatus, 'rolloutHash');
}

type Change = {
  /** The step in which the release waits when the plan changes. */
  readonly at: number;
  readonly to: readonly JsonMap[];
  /** Where it goes on, and what is there then. */
  readonly step: number;
  readonly pods: number;
  readonly weight: number;
};

const CHANGES: [string, Change][] = [
  [
    'the current step asks for more: it is done again',
    { at: 1, to: [step(30), ...PLAN.slice(1)], step: 1, pods: 3, weight: 30 },
  ],
  [
    'the current step gets more of the traffic, and no more pods',
    { at: 1, to: [step(20, { traffic: '25%' }), ...PLAN.slice(1)], step: 1, pods: 2, weight: 25 },
  ],
  [
    'the current step gets less of the traffic: it goes back, and the pods stay',
    { at: 2, to: [step(20), step(40, { traffic: '10%' }), ...PLAN.slice(2)], step: 2, pods: 4, weight: 10 },
  ],
  [
    'the current step asks for fewer pods than there are: it goes on with the next one that does not',
    { at: 2, to: [step(20), step(30), step(50), LAST], step: 3, pods: 5, weight: 50 },
  ],
  [
    'an earlier step asks for what is there, too: the current one comes before it',
    { at: 2, to: [step(40, { traffic: '30%' }), ...PLAN.slice(1)], step: 2, pods: 4, weight: 40 },
  ],
  [
    'a later step asks for more: nothing moves',
    { at: 1, to: [step(20), step(45), step(50), LAST], step: 1, pods: 2, weight: 20 },
  ],
  [
    'a step is put before the current one: it goes on where as many pods are asked for',
    { at: 1, to: [step(10), ...PLAN], step: 2, pods: 2, weight: 20 },
  ],
  [
    'a step is put after the current one: nothing moves',
    { at: 1, to: [step(20), step(30), ...PLAN.slice(1)], step: 1, pods: 2, weight: 20 },
  ],
  [
    'steps are taken out, the current one among them',
    { at: 2, to: [step(20), step(50), LAST], step: 2, pods: 5, weight: 50 },
  ],
  ['the plan is shorter than where the release stands', { at: 3, to: [step(50), LAST], step: 1, pods: 5, weight: 50 }],
];

/** The number of steps is frozen by admission; a plan that came past it is followed all the same. */
describe.each(STYLES)('%s', (style) => {
  test.each(CHANGES)('%s', async (_, { at, to, step: goesOn, pods, weight }) => {
    const problems: string[] = [];
    const world = await standing(style, at, problems);
    world.plan(styled(style, to));
    await world.until('the step', () => told(world).length === 1 && world.stands() === `${goesOn} StepPaused`);
    await world.pass(10);
    expect(told(world)).toEqual([
      `Normal Progressing Rollout/web: the plan has changed: the release goes on at step ${goesOn} of ${to.length}`,
    ]);
    expect(world.stands()).toBe(`${goesOn} StepPaused`);
    expect(world.desired()['v2']).toBe(pods);
    expect(world.ready()['v2']).toBe(pods);
    expect(world.weights()).toEqual({ web: 100 - weight, 'web-canary': weight });
    expect(storedHash(world)).toBe(planHash(world.rollout() as unknown as Rollout));
    expect(problems).toEqual([]);
    expect(world.events.join()).not.toContain('jumps from');
    world.approve();
    const next = goesOn + 1;
    const isOver = next === to.length && style !== 'blue-green';
    const then = isOver ? 'Healthy' : `${next} StepPaused`;
    await world.until('the next step of the new plan', () => world.stands() === then);
  });

  test.each<[string, readonly JsonMap[]]>([
    ['a pause that gets a time', [step(20, { pause: { duration: 3600 } }), ...PLAN.slice(1)]],
    ['a pause of a later step', [step(20), step(40, { pause: { duration: 1 } }), ...PLAN.slice(2)]],
  ])('%s is no change of the plan: nothing moves, and no step begins again', async (_, to) => {
    const world = await standing(style, 1);
    const [hash, { lastUpdateTime }] = [storedHash(world), sub(world)];
    world.plan(styled(style, to));
    await world.pass(10);
    expect(told(world)).toEqual([]);
    expect(storedHash(world)).toBe(hash);
    expect(sub(world)).toMatchObject({ lastUpdateTime, currentStepState: 'StepPaused' });
  });

  test('a pause whose new time is over already ends at once', async () => {
    const world = await standing(style, 1);
    await world.pass(30);
    world.plan(styled(style, [step(20, { pause: { duration: 20 } }), ...PLAN.slice(1)]));
    await world.until('step 2', () => world.stands().startsWith('2 '), 2);
    expect(told(world)).toEqual([]);
  });

  test('changed while pods of a step are still coming: the step goes on with what it asks for now', async () => {
    const world = await opened({ strategy: styled(style, PLAN), native: { readyAfter: () => 10_000 } });
    world.release('v2');
    await world.until('its pods', () => world.desired()['v2'] === 2);
    world.plan(styled(style, [step(30), ...PLAN.slice(1)]));
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    expect(world.ready()['v2']).toBe(3);
    expect(world.weights()).toEqual({ web: 70, 'web-canary': 30 });
  });

  test('changed while its owner has paused it: nothing moves until that is taken back', async () => {
    const world = await standing(style, 1);
    const to = styled(style, [step(30), ...PLAN.slice(1)]);
    world.plan({ ...to, paused: true });
    await world.pass(30);
    expect(world.ready()['v2']).toBe(2);
    expect(world.weights()).toEqual({ web: 80, 'web-canary': 20 });
    world.plan(to);
    await world.until('step 1 again', () => world.ready()['v2'] === 3 && world.stands() === '1 StepPaused');
    expect(world.weights()).toEqual({ web: 70, 'web-canary': 30 });
  });
});

function sub(world: World): JsonMap {
  const { canaryStatus, blueGreenStatus } = world.status();
  return (canaryStatus ?? blueGreenStatus) as JsonMap;
}
