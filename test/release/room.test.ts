import { expect, test } from 'vitest';
import { at, type JsonMap } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { opened, pausedAtStep1 } from './opened.ts';
import { ROUTING } from './world.ts';

/** Traffic moves in whole percents: of a number that does not divide 100 an old pod may be needed for less than one of them. */
test.each<[number, number, number, number]>([
  [7, 1, 0, 8],
  [10, 1, 0, 11],
  [30, 1, 0, 31],
  [30, 0, 1, 30],
  [60, 1, 0, 61],
])(
  'partition: of %s pods, with maxSurge %s and maxUnavailable %s, there are never more than %s and the one that a whole percent may need',
  async (replicas, maxSurge, maxUnavailable, most) => {
    const steps: JsonMap[] = [{ traffic: '50%', replicas: '50%', pause: {} }, { replicas: '100%' }];
    const seen: number[] = [];
    const world = await opened({
      strategy: { canary: { steps, trafficRoutings: [ROUTING] } },
      replicas,
      spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } },
      onRest: ({ desired }) => void seen.push(Object.values(desired()).reduce((sum, count) => sum + count, 0)),
    });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused', 600);
    expect(Math.max(...seen)).toBeLessThanOrEqual(most + 1);
  },
);

test('partition: after a jump back the old version grows only while the native controller is known to scale nothing', async () => {
  const pause = {};
  const steps: JsonMap[] = [
    { traffic: '30%', replicas: 2, pause },
    { traffic: '50%', replicas: '50%', pause },
    { replicas: '100%' },
  ];
  const world = await pausedAtStep1({ strategy: { canary: { steps, trafficRoutings: [ROUTING] } }, replicas: 6 });
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  const web = { namespace: 'shop', name: 'web' };
  const met: unknown[] = [];
  const { patch } = world.cluster;
  world.cluster.patch = async (...call) => {
    const [{ kind }, , , body] = call;
    const before = world.cluster.read(RESOURCES.deployment, web);
    const isScaled = kind === 'ReplicaSet' && at(body, ['spec', 'replicas']) !== undefined;
    const isKnown = at(before, ['status', 'observedGeneration']) === at(before, ['metadata', 'generation']);
    if (isScaled) met.push(`scaled while ${typeOf(before)}${isKnown ? ', as is known' : ''}`);
    const answer = await patch.apply(world.cluster, call);
    const [was, is] = [typeOf(before), typeOf(world.cluster.read(RESOURCES.deployment, web))];
    const isLiving = (pod: JsonMap) => at(pod, ['metadata', 'deletionTimestamp']) === undefined;
    const pods = world.cluster.list(RESOURCES.pod, 'shop').filter(isLiving).length;
    if (was !== is) met.push(`${is} with ${pods} pods`);
    return answer;
  };
  world.request({ nextStepIndex: 1 });
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(met).toEqual(['Recreate with 6 pods', 'scaled while Recreate, as is known', 'RollingUpdate with 8 pods']);
  expect(world.ready()).toEqual({ v1: 5, v2: 3 });
});

function typeOf(workload: JsonMap): unknown {
  return at(workload, ['spec', 'strategy', 'type']);
}
