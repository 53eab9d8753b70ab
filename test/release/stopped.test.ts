import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonMap } from '../../src/json/value.ts';
import { NotLeading } from '../../src/kube/api-error.ts';
import { leftovers, trafficProblems } from './invariants.ts';
import { openWorld, ROUTING, type World } from './world.ts';

const pause = { duration: 1 };
const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause },
  { traffic: '50%', replicas: '50%', pause },
];
const steps = [...STEPS, { replicas: '100%' }];
const trafficRoutings = [ROUTING];
const PLANS: Record<string, JsonMap> = {
  partition: { canary: { steps, trafficRoutings } },
  canary: { canary: { steps, trafficRoutings, enableExtraWorkloadForCanary: true } },
  'blue-green': {
    blueGreen: {
      steps: [...STEPS, { traffic: '100%', replicas: '100%', pause }],
      trafficRoutings,
      scaleDownDelaySeconds: 4,
    },
  },
};
const REPLICAS = 5;
/** Of 5 replicas a quarter, and so many less than a smaller size needs while nobody counts anew. */
const MAY_MISS = 1;

/** What the user does while no controller runs, and the version that all pods have in the end. */
type Act = {
  readonly what: string;
  readonly act: (world: World) => void;
  readonly ends: string;
  /** Pods that are asked for come in a moment. */
  readonly isGrowing?: true;
  /** Of the writes, every so many are stopped before: all where it matters most, as each costs a release. */
  readonly every: number;
};
const ACTS: readonly Act[] = [
  { what: 'the old version is applied again', act: (world) => world.release('v1'), ends: 'v1', every: 1 },
  { what: 'a third version is applied', act: (world) => world.release('v3'), ends: 'v3', every: 5 },
  { what: 'it is scaled up', act: (world) => world.scale(9), ends: 'v2', isGrowing: true, every: 5 },
  { what: 'it is scaled down', act: (world) => world.scale(3), ends: 'v2', every: 5 },
];

/** Every controller stops before its write with this number. */
function stopBefore(world: World, number: number): { isStopped(): boolean; lift(): void } {
  let [sent, isStopped, isLifted] = [0, false, false];
  world.cluster.onWrite = () => {
    isStopped ||= sent++ === number;
    if (isStopped && !isLifted) throw new NotLeading('another one leads');
  };
  return {
    isStopped: () => isStopped,
    lift() {
      isLifted = true;
    },
  };
}

/** @returns what was wrong, or `over` where the release has fewer writes */
async function stopped(strategy: JsonMap, number: number, { act, ends, isGrowing }: Act): Promise<string[] | 'over'> {
  let problems: string[] = [];
  const world = await openWorld({
    strategy,
    replicas: REPLICAS,
    onRest: (each) => {
      const seen = each.traffic();
      problems.push(...trafficProblems({ ...seen, mayMiss: Math.max(MAY_MISS, seen.mayMiss) }));
    },
  });
  onTestFinished(() => world.close());
  problems = [];
  const stop = stopBefore(world, number);
  world.release('v2');
  do await world.pass(0.25);
  while (!stop.isStopped() && world.stands() !== 'Healthy');
  if (!stop.isStopped()) return 'over';
  const where = `before write ${number} in ${world.stands()}`;
  act(world);
  await world.pass(5);
  if (isGrowing) problems = [];
  await world.pass(5);
  stop.lift();
  await world.restart();
  const isOver = () => world.stands() === 'Healthy' && leftovers(world).length === 0;
  await world.until(`the end (${where})`, () => isOver() && Object.keys(world.ready()).join() === ends);
  await world.close();
  return [...new Set(problems)].map((problem) => `${where}: ${problem}`);
}

describe.each(Object.entries(PLANS))('%s: the controller stops before any of its writes,', (_style, strategy) => {
  test.each(ACTS)(
    'and $what: traffic keeps its pods, and the next controller goes on',
    { timeout: 120_000 },
    async (act) => {
      const { seed = 0 } = fc.readConfigureGlobal();
      let count = 0;
      for (let number = Math.abs(seed) % act.every; ; number += act.every) {
        const found = await stopped(strategy, number, act);
        if (found === 'over') break;
        expect(found).toEqual([]);
        count += 1;
      }
      expect(count).toBeGreaterThan(5);
    },
  );
});
