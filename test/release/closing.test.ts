import { expect, test } from 'vitest';
import { type JsonMap, member } from '../../src/json/value.ts';
import { leftovers, trafficProblems } from './invariants.ts';
import { opened } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/**
 * Another version that is applied while a release comes to its end, forward (`Finalising`) or back (`Cancelling`), in each
 * part of the closing sequences: it is held and released from step 1 on, and never comes out natively (compat W24).
 */

const steps: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
];
const plan: JsonMap = { steps, trafficRoutings: [ROUTING] };
const partition: JsonMap = { canary: plan };
const canary: JsonMap = { canary: { ...plan, enableExtraWorkloadForCanary: true } };
const blueGreen: JsonMap = { blueGreen: { ...plan, scaleDownDelaySeconds: 10 } };
const styles: [string, JsonMap][] = [
  ['partition', partition],
  ['canary', canary],
  ['blue-green', blueGreen],
];

/** The parts that are ever stored, in each style; others are over within one look. */
const OPENING = ['RestoreStableService', 'FinalisingStepRouteTrafficToStable', 'RemoveCanaryService', 'ResumeWorkload'];
const FORWARD: Readonly<Record<string, readonly string[]>> = {
  partition: OPENING,
  canary: [...OPENING, 'ReleaseWorkloadControl'],
  'blue-green': [
    ...['FinalisingStepRouteTrafficToNew', 'RestoreStableService', 'ResumeWorkload'],
    'FinalisingStepRouteTrafficToStable',
  ],
};
const BACK = ['FinalisingStepRouteTrafficToStable', 'ReleaseWorkloadControl', 'ResumeWorkload', 'RestoreStableService'];

function sub(world: World): JsonMap {
  return (world.status()['canaryStatus'] ?? world.status()['blueGreenStatus']) as JsonMap;
}

/** Does something as soon as the status says that a part of a closing sequence has begun. */
function inPart(world: World, part: string, act: () => void): { isDone: boolean } {
  const state = { isDone: false };
  const { patch } = world.cluster;
  world.cluster.patch = async (...call) => {
    const answer = await patch.apply(world.cluster, call);
    if (!state.isDone && call[0].kind === 'Rollout' && member(sub(world), 'finalisingStep') === part) {
      state.isDone = true;
      act();
    }
    return answer;
  };
  return state;
}

const cases = styles.flatMap(([style, strategy]) => [
  ...(FORWARD[style] ?? []).map((part) => [style, 'Finalising', part, strategy] as const),
  ...BACK.map((part) => [style, 'Cancelling', part, strategy] as const),
]);

test.each(cases)('%s, %s, %s: another version is held, and released in steps', async (_, reason, part, strategy) => {
  const problems: string[] = [];
  let most = 0;
  const world = await opened({
    strategy,
    onRest: (seen) => {
      problems.push(...trafficProblems(seen.traffic()));
      most = Math.max(most, seen.desired()['v3'] ?? 0);
    },
  });
  problems.length = 0; // while the shop opened, nothing was ready yet
  const other = inPart(world, part, () => world.release('v3'));
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  if (reason === 'Finalising') world.request({}, { request: 'promote' });
  else world.release('v1');
  await world.until('that part', () => other.isDone);
  await world.until('step 1 of the third', () => world.stands() === '1 StepPaused');
  expect(most).toBe(2);
  if (reason === 'Cancelling') expect(world.ready()).not.toHaveProperty('v2');
  expect(world.ready()['v3']).toBe(2);
  expect(problems).toEqual([]);
  world.request({}, { request: 'promote' });
  await world.until('the end', () => world.stands() === 'Healthy');
  await world.pass(5);
  expect(world.ready()).toEqual({ v3: 10 });
  expect(world.weights()).toEqual({ web: 100 });
  expect(leftovers(world)).toEqual([]);
  expect(problems).toEqual([]);
});
