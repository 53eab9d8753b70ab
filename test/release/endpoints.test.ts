import { expect, test } from 'vitest';
import { type JsonMap, stringAt } from '../../src/json/value.ts';
import type { Webhook } from '../native/admission.ts';
import { trafficProblems } from './invariants.ts';
import { opened } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/** Ready pods are no endpoints yet: proxies know of a pod only when the EndpointSlices of its Service do (design P8). */

const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
  { replicas: '100%' },
];
const partition: JsonMap = { canary: { steps: STEPS, trafficRoutings: [ROUTING] } };
const canary: JsonMap = { canary: { enableExtraWorkloadForCanary: true, steps: STEPS, trafficRoutings: [ROUTING] } };
const blueGreen: JsonMap = {
  blueGreen: {
    steps: [
      { traffic: '0%', replicas: '50%', pause: {} },
      { traffic: '100%', replicas: '100%', pause: {} },
    ],
    trafficRoutings: [ROUTING],
  },
};

/** A shop in step 1, where nothing more becomes an endpoint of a Service once `stop` is called. */
async function lagging(
  strategy: JsonMap,
  service: string,
): Promise<{ readonly world: World; readonly stop: () => void }> {
  let isStopped = false;
  const behind: Webhook = ({ resource, incoming, live }) => {
    const of = stringAt(incoming, 'metadata', 'labels', 'kubernetes.io/service-name');
    return isStopped && resource.kind === 'EndpointSlice' && of === service ? (live ?? incoming) : incoming;
  };
  const world = await opened({ strategy, native: { webhooks: [behind] } });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  return {
    world,
    stop: () => {
      isStopped = true;
    },
  };
}

test.each<[string, JsonMap]>([
  ['partition', partition],
  ['canary', canary],
  ['blue-green', blueGreen],
])('%s: more traffic comes only when the endpoints that it needs are ready', async (_, strategy) => {
  const { world, stop } = await lagging(strategy, 'web-canary');
  const [weights, endpoints] = [world.weights(), world.endpoints('web-canary')];
  stop();
  world.approve();
  await world.pass(30);
  expect(world.endpoints('web-canary')).toEqual(endpoints);
  expect(world.weights()).toEqual(weights);
});

test('partition: traffic comes back only as far as the endpoints of the old version can carry it', async () => {
  const { world, stop } = await lagging(partition, 'web');
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  stop();
  world.release('v1');
  for (let second = 0; second < 30; second++) {
    await world.pass(1);
    expect(trafficProblems(world.traffic())).toEqual([]);
  }
});
