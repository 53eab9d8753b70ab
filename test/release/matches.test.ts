import { describe, expect, test } from 'vitest';
import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { at, type Json, type JsonMap, member } from '../../src/json/value.ts';
import { leftovers } from './invariants.ts';
import { opened } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/** Steps with `matches`, where canary Services are generated (compat §1.3, W10, W18). */

const TESTERS: JsonMap[] = [{ headers: [{ name: 'tester', value: 'yes' }] }];
const steps: JsonMap[] = [
  { matches: TESTERS, replicas: '20%', pause: {} },
  { traffic: '30%', replicas: '30%', pause: {} },
  { matches: TESTERS, traffic: '40%', replicas: '40%', pause: {} },
  { matches: TESTERS, replicas: '50%', pause: {} },
  { replicas: '100%' },
];
const styles: [string, JsonMap][] = [
  ['partition', { canary: { steps, trafficRoutings: [ROUTING] } }],
  ['canary', { canary: { enableExtraWorkloadForCanary: true, steps, trafficRoutings: [ROUTING] } }],
  ['blue-green', { blueGreen: { steps, trafficRoutings: [ROUTING], scaleDownDelaySeconds: 5 } }],
];

function rules(world: World): Json | undefined {
  return at(world.cluster.read(VIRTUAL_SERVICE, { namespace: 'shop', name: 'web' }), ['spec', 'http']);
}

const OWN = { route: [{ destination: { host: 'web' } }] };
const MATCHED = {
  match: [{ headers: { tester: { exact: 'yes' } } }],
  route: [{ destination: { host: 'web-canary' } }],
};
const shared = (weight: number) => ({
  route: [
    { destination: { host: 'web' }, weight: 100 - weight },
    { destination: { host: 'web-canary' }, weight },
  ],
});

async function goesTo(world: World, step: number): Promise<void> {
  for (let each = 1; each <= step; each++) {
    await world.until(`step ${each}`, () => world.stands() === `${each} StepPaused`);
    if (each < step) world.approve();
  }
}

describe.each(styles)('%s', (style, strategy) => {
  test.each<[string, number, Json[], number, number]>([
    ['matches alone lead matched requests to the new version, and nothing else', 1, [MATCHED, OWN], 2, 10],
    ['a weight after them: what was matched is not any more', 2, [shared(30)], 3, 7],
    ['both together: matched requests, and of the others the share', 3, [MATCHED, shared(40)], 4, 6],
    ['matches alone after a weight take the share back', 4, [MATCHED, OWN], 5, 8],
  ])('%s', async (_, step, expected, pods, beside) => {
    const world = await opened({ strategy });
    world.release('v2');
    await goesTo(world, step);
    expect(rules(world)).toEqual(expected);
    // Where no weights are set the old version has all other requests, and the pods for them; with as many missing as
    // its owner allows where 3 more than 10 would not do.
    const old = style === 'partition' ? beside : 10;
    expect(world.ready()).toEqual({ v1: old, v2: pods });
    expect(world.endpoints('web')).toEqual({ v1: old });
    expect(world.endpoints('web-canary')).toEqual({ v2: pods });
  });

  test.each([
    ['matches alone', 1],
    ['both', 3],
  ])('of %s nothing is left in the end, nor after going back', async (_, step) => {
    for (const version of ['v1', 'v2']) {
      const world = await opened({ strategy });
      world.release('v2');
      await goesTo(world, step);
      if (version === 'v1') world.release('v1');
      else world.request({}, { request: 'promote' });
      await world.until('the end', () => world.stands() === 'Healthy');
      await world.pass(5);
      expect(rules(world)).toEqual([OWN]);
      expect(world.ready()).toEqual({ [version]: 10 });
      expect(leftovers(world)).toEqual([]);
    }
  });

  test('the traffic of matches goes a grace period before the pods do', async () => {
    const world = await opened({ strategy });
    world.release('v2');
    await goesTo(world, 1);
    world.release('v1');
    await world.until('the rule to go', () => JSON.stringify(rules(world)) === JSON.stringify([OWN]));
    await world.pass(2.5);
    expect(world.ready()['v2']).toBeGreaterThanOrEqual(1);
    expect(member(world.status()['canaryStatus'] ?? world.status()['blueGreenStatus'], 'finalisingStep')).toBe(
      'FinalisingStepRouteTrafficToStable',
    );
  });
});
