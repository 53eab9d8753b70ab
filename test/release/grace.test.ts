import { describe, expect, test } from 'vitest';
import { type JsonMap, member } from '../../src/json/value.ts';
import { opened } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/** Grace periods are kept in the status (compat W20): another leader waits for what is left of them, neither for all again nor for nothing. */

const GRACE_SECONDS = 30;
const DELAY_SECONDS = 60;
const steps: JsonMap[] = [{ traffic: '20%', replicas: '20%', pause: {} }, { replicas: '100%' }];
const trafficRoutings: JsonMap[] = [{ ...ROUTING, gracePeriodSeconds: GRACE_SECONDS }];
const partition: JsonMap = { canary: { steps, trafficRoutings } };
const canary: JsonMap = { canary: { enableExtraWorkloadForCanary: true, steps, trafficRoutings } };
const blueGreen: JsonMap = { blueGreen: { steps, trafficRoutings, scaleDownDelaySeconds: DELAY_SECONDS } };
const styles: [string, JsonMap][] = [
  ['partition', partition],
  ['canary', canary],
  ['blue-green', blueGreen],
];

const weight = (world: World) => world.weights()['web-canary'] ?? 0;

function finalising(world: World): unknown {
  return member(world.status()['canaryStatus'] ?? world.status()['blueGreenStatus'], 'finalisingStep');
}

type Wait = {
  /** What is done before the traffic moves. */
  readonly before: (world: World) => Promise<void>;
  readonly isMoved: (world: World) => boolean;
  readonly isOver: (world: World) => boolean;
  readonly seconds: number;
};

async function toStep1(world: World): Promise<void> {
  await world.until('step 1', () => world.stands() === '1 StepPaused');
}

const FORWARD: Wait = {
  before: async () => undefined,
  isMoved: (world) => weight(world) === 20,
  isOver: (world) => world.stands() === '1 StepPaused',
  seconds: GRACE_SECONDS,
};
const BACK: Wait = {
  before: async (world) => {
    await toStep1(world);
    world.release('v1');
  },
  isMoved: (world) => weight(world) === 0,
  isOver: (world) => finalising(world) !== 'FinalisingStepRouteTrafficToStable',
  seconds: GRACE_SECONDS,
};
const END: Wait = {
  before: async (world) => {
    await toStep1(world);
    world.request({}, { request: 'promote' });
  },
  isMoved: (world) => weight(world) === 0 && finalising(world) === 'FinalisingStepRouteTrafficToStable',
  isOver: (world) => finalising(world) !== 'FinalisingStepRouteTrafficToStable',
  seconds: GRACE_SECONDS,
};
const DELAY: Wait = {
  before: END.before,
  isMoved: (world) => weight(world) === 100,
  isOver: (world) => finalising(world) !== 'FinalisingStepRouteTrafficToNew',
  seconds: DELAY_SECONDS,
};
/** Steered to its last step, so that its traffic goes at the end. */
const oneStep = ({ canary: plan }: JsonMap): JsonMap => ({
  canary: { ...(plan as JsonMap), steps: steps.slice(0, 1) },
});

const cases: [string, string, { strategy: JsonMap; wait: Wait }][] = [
  ...styles.flatMap(([style, strategy]): [string, string, { strategy: JsonMap; wait: Wait }][] => [
    ['the grace period of a step', style, { strategy, wait: FORWARD }],
    ['the grace period on the way back', style, { strategy, wait: BACK }],
  ]),
  ['the grace period at the end', 'partition', { strategy: oneStep(partition), wait: END }],
  ['the grace period at the end', 'canary', { strategy: oneStep(canary), wait: END }],
  ['the delay for which old pods are kept', 'blue-green', { strategy: blueGreen, wait: DELAY }],
];

/** Seconds from when the traffic moved to when the wait was over, with this in between. */
async function waited(
  strategy: JsonMap,
  { before, isMoved, isOver, seconds }: Wait,
  between: (world: World) => Promise<void>,
): Promise<number> {
  const world = await opened({ strategy });
  world.release('v2');
  await before(world);
  await world.until('the traffic', () => isMoved(world));
  const start = world.milliseconds();
  expect(isOver(world)).toBe(false);
  await between(world);
  await world.until('the end of the wait', () => isOver(world), 2 * seconds);
  return (world.milliseconds() - start) / 1000;
}

/** Moments are seen to within a quarter of a second, and where much is to be done in it, two. */
const SEEN_WITHIN = 1.5;

describe.each(cases)('%s (%s)', (_what, _style, { strategy, wait }) => {
  const { seconds } = wait;

  test.each<[string, (world: World) => Promise<void>, number]>([
    ['is waited for', async () => undefined, seconds],
    [
      'is waited for to its end, where another controller leads from its middle on',
      async (world) => {
        await world.pass(seconds / 2);
        await world.restart();
      },
      seconds,
    ],
    [
      'is waited for to its end, where others lead again and again',
      async (world) => {
        for (let turn = 0; turn < 5; turn++) {
          await world.pass(seconds / 8);
          await world.restart();
        }
      },
      seconds,
    ],
    [
      'counts on while nobody leads',
      async (world) => {
        await world.pass(seconds / 4);
        await world.whileDown(() => world.pass(seconds / 2));
      },
      seconds,
    ],
    [
      'is over at once where nobody led until after it',
      async (world) => world.whileDown(() => world.pass(seconds + 20)),
      seconds + 20,
    ],
  ])('%s', async (_, between, expected) => {
    const took = await waited(strategy, wait, between);
    expect(took).toBeGreaterThanOrEqual(expected - SEEN_WITHIN);
    expect(took).toBeLessThanOrEqual(expected + SEEN_WITHIN);
  });
});
