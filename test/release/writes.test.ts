import { expect, onTestFinished, test } from 'vitest';
import { type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import type { ObjectName } from '../../src/kube/resource.ts';
import type { NativeCluster } from '../native/cluster.ts';
import { openWorld, ROUTING } from './world.ts';

const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: { duration: 1 } },
  { traffic: '40%', replicas: '40%', pause: { duration: 1 } },
  { replicas: '100%' },
];

/** Notes what the controller writes beside Rollouts, and how often a write comes again that was carried out. */
function noted(cluster: NativeCluster): { count: () => number; repeated: string[] } {
  const done = new Set<string>();
  const repeated: string[] = [];
  let count = 0;
  const note = async <T>(kind: string, parts: Json, send: () => Promise<T>): Promise<T> => {
    const key = JSON.stringify(parts);
    count += 1;
    if (done.has(key)) repeated.push(key);
    const answer = await send();
    if (kind !== 'Rollout') done.add(key);
    return answer;
  };
  const { create, patch } = cluster;
  cluster.create = (...call) => note(call[0].kind, [call[0].kind, call[1]], () => create.apply(cluster, call));
  cluster.patch = (...call) => {
    const send = () => patch.apply(cluster, call);
    // A dry run writes nothing.
    return call[4]?.dryRun === true ? send() : note(call[0].kind, [call[0].kind, nameOf(call[1]), call[3]], send);
  };
  return { count: () => count, repeated };
}

const nameOf = ({ namespace = '', name }: ObjectName) => `${namespace}/${name}`;

test.each<[string, JsonMap, number]>([
  ['partition', { canary: { steps: STEPS, trafficRoutings: [ROUTING] } }, 22],
  ['canary', { canary: { enableExtraWorkloadForCanary: true, steps: STEPS, trafficRoutings: [ROUTING] } }, 18],
  [
    'blue-green',
    { blueGreen: { steps: [...STEPS.slice(0, 2), { traffic: '100%', replicas: '100%' }], trafficRoutings: [ROUTING] } },
    23,
  ],
])('%s: no write is sent again before what it did can be seen, and a step needs few', async (_, strategy, most) => {
  const world = await openWorld({ strategy, replicas: 5 });
  onTestFinished(() => world.close());
  const { count, repeated } = noted(world.cluster);
  world.release('v2');
  if ('blueGreen' in strategy) {
    await world.until('step 3', () => world.stands() === '3 StepPaused');
    world.approve();
  }
  await world.until('the end', () => world.stands() === 'Healthy' && world.ready()['v2'] === 5);
  expect(repeated).toEqual([]);
  expect(count() / STEPS.length).toBeLessThanOrEqual(most);
  expect(stringAt(world.status(), 'release', 'outcome')).toBe('Success');
});
