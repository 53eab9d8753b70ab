import { expect, onTestFinished, test } from 'vitest';
import type { JsonMap } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { openWorld, ROUTING, type World } from './world.ts';

const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: { duration: 10 } },
  { replicas: '100%' },
];

/** Version v2 waits for an approval in step 1. */
async function pausedAtStep1(): Promise<World> {
  const world = await openWorld({ strategy: { canary: { steps: STEPS, trafficRoutings: [ROUTING] } } });
  onTestFinished(() => world.close());
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  return world;
}

/** The reasons of Events, one after the other, without those that come twice in a row. */
function reasons({ events }: World): string[] {
  const all = events.map((event) => event.split(' ')[1] ?? '');
  return all.filter((reason, i) => reason !== all[i - 1]);
}

test('each state that a release comes to wait in is an Event that says for what', async () => {
  const world = await pausedAtStep1();
  expect(reasons(world)).toEqual([
    ...['Progressing', 'BeforeStepUpgrade', 'StepUpgrade', 'StepTrafficRouting', 'StepPaused'],
  ]);
  expect(world.events.at(-1)).toBe(
    'Normal StepPaused Rollout/web: Rollout is in step(1/3), and needs manual confirmation to enter the next step: kubectl sluice approve',
  );
  const before = world.events.length;
  await world.pass(30);
  expect(world.events).toHaveLength(before);
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(reasons(world).slice(5)).toEqual([
    ...['Progressing', 'StepUpgrade', 'StepTrafficRouting', 'StepPaused'],
    // Step 3 sets no traffic, and opens everything before its pods come: nothing of that is left for the end.
    ...['Progressing', 'BeforeStepUpgrade', 'StepUpgrade', 'ResumeWorkload', 'Completed'],
  ]);
});

test('a release that is paused by its owner says so, and so does one that is held after an abort', async () => {
  const world = await pausedAtStep1();
  world.plan({ paused: true, canary: { steps: STEPS, trafficRoutings: [ROUTING] } });
  await world.until('the pause', () => world.events.at(-1)?.startsWith('Normal Paused Rollout/web') === true);
  expect(world.figures()[0]?.release).toMatchObject({ reason: 'Paused', waitsFor: 'resume' });
  world.request({}, { request: 'abort' });
  await world.until('the hold', () => world.figures()[0]?.release?.waitsFor === 'decision');
  expect(world.events.at(-1)).toContain('Normal Paused Rollout/web: Abort: waits for a decision');
});

test('a step is measured from its beginning to the next one, its states by themselves, and the release as a whole', async () => {
  const world = await pausedAtStep1();
  expect(world.measures.filter((each) => each.startsWith('state StepTrafficRouting'))).toEqual([
    'state StepTrafficRouting 3', // its grace period
  ]);
  await world.pass(60);
  await world.restart(); // what is measured stands in the status
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  const pauses = world.measures.filter((each) => each.startsWith('state StepPaused'));
  expect(pauses).toEqual(['state StepPaused 60', 'state StepPaused 10']);
  const steps = world.measures.filter((each) => each.startsWith('step')).map((each) => Number(each.split(' ')[1]));
  expect(steps).toHaveLength(3);
  expect(steps[0]).toBeGreaterThanOrEqual(63);
  expect(steps[1]).toBeGreaterThanOrEqual(13);
  const ends = world.measures.filter((each) => each.startsWith('release'));
  expect(ends).toHaveLength(1);
  expect(ends[0]).toMatch(/^release Success /);
});

test('a step that is left by a jump is not measured as one that was done', async () => {
  const world = await pausedAtStep1();
  world.request({ nextStepIndex: 3 });
  await world.until('step 3', () => world.stands().startsWith('3 ') || world.stands() === 'Healthy');
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.measures.filter((each) => each.startsWith('step'))).toHaveLength(1);
});

test.each<[string, (world: World) => void, string[]]>([
  ['taken back', (world) => world.release('v1'), ['Rollback']],
  ['aborted', (world) => world.request({}, { request: 'abort' }), ['Abort']],
  ['replaced by a third version', (world) => world.release('v3'), ['Superseded']],
])('a release that is %s counts with that outcome, once', async (_, act, outcomes) => {
  const world = await pausedAtStep1();
  act(world);
  await world.until('the end of it', () => world.measures.some((each) => each.startsWith('release')));
  await world.pass(30);
  const ends = world.measures.filter((each) => each.startsWith('release'));
  expect(ends.map((each) => each.split(' ')[1])).toEqual(outcomes);
});

test('numbers of a release are there as long as it runs, and those of a Rollout as long as there is one', async () => {
  const world = await pausedAtStep1();
  expect(world.figures()).toEqual([
    {
      ...{ namespace: 'shop', name: 'web', phase: 'Progressing' },
      release: {
        ...{ style: 'partition', reason: 'InRolling', state: 'StepPaused', waitsFor: 'approval' },
        ...{ step: 1, steps: 3, weight: 20, isStalled: false },
        startTime: expect.any(Number),
        stateTime: expect.any(Number),
      },
    },
  ]);
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  expect(world.figures()[0]?.release).toMatchObject({ step: 2, weight: 50, waitsFor: 'time' });
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.figures()).toEqual([{ namespace: 'shop', name: 'web', phase: 'Healthy', release: undefined }]);
  await world.cluster.delete(RESOURCES.rollout, { namespace: 'shop', name: 'web' });
  await world.until('the Rollout to be gone', () => world.figures().length === 0);
});

test('a release that makes no progress for its deadline says so in numbers', async () => {
  const readyAfter = (pod: JsonMap) => (JSON.stringify(pod).includes('web:v2') ? ('never' as const) : 1_000);
  const strategy = { canary: { steps: STEPS, trafficRoutings: [ROUTING], progressDeadlineSeconds: 30 } };
  const world = await openWorld({ strategy, native: { readyAfter } });
  onTestFinished(() => world.close());
  world.release('v2');
  await world.until('its pods', () => world.figures()[0]?.release?.state === 'StepUpgrade');
  expect(world.figures()[0]?.release).toMatchObject({ isStalled: false, waitsFor: 'progress' });
  await world.pass(40);
  expect(world.figures()[0]?.release).toMatchObject({ isStalled: true });
});
