import { expect, test } from 'vitest';
import { at, type JsonMap } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { leftovers } from './invariants.ts';
import { opened } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/** Blue-green where no canary Service is generated and the first step has traffic already, in which OpenKruise stands still (compat W25). */

const WEB = { namespace: 'shop', name: 'web' };
const steps: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '100%', replicas: '100%', pause: {} },
];
const strategy: JsonMap = {
  blueGreen: { steps, trafficRoutings: [ROUTING], disableGenerateCanaryService: true, scaleDownDelaySeconds: 5 },
};

/** A release of which the one Service is never changed, and gets no other beside it. */
async function released(): Promise<World> {
  const touched = new Set<string>();
  const world = await opened({
    strategy,
    onRest: ({ cluster }) => {
      for (const service of cluster.list(RESOURCES.service, 'shop')) touched.add(JSON.stringify(service));
    },
  });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(touched.size).toBe(1);
  return world;
}

function selector(world: World): unknown {
  return at(world.cluster.read(RESOURCES.service, WEB), ['spec', 'selector']);
}

test('both steps are gone through, with both versions behind the one Service', async () => {
  const world = await released();
  expect(world.ready()).toEqual({ v1: 10, v2: 2 });
  expect(world.endpoints('web')).toEqual({ v1: 10, v2: 2 });
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  expect(world.endpoints('web')).toEqual({ v1: 10, v2: 10 });
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.ready()).toEqual({ v2: 10 });
  expect(world.cluster.list(RESOURCES.service, 'shop')).toHaveLength(1);
  expect(selector(world)).toEqual({ app: 'web' });
  expect(leftovers(world)).toEqual([]);
});

test('the old version, applied again, is had back', async () => {
  const world = await released();
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.ready()).toEqual({ v1: 10 });
  expect(world.cluster.list(RESOURCES.service, 'shop')).toHaveLength(1);
  expect(leftovers(world)).toEqual([]);
});
