import { expect, test } from 'vitest';
import { isList, type JsonMap, stringAt } from '../../src/json/value.ts';
import { opened, pausedAtStep1 } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/** What clients of OpenKruise read of a status (compat §2.1, §2.2, §6). */

const STEPS: JsonMap[] = [{ traffic: '20%', replicas: '20%', pause: {} }, { replicas: '100%' }];
const canary: JsonMap = { canary: { steps: STEPS, trafficRoutings: [ROUTING] } };
const blueGreen: JsonMap = { blueGreen: { steps: STEPS, trafficRoutings: [ROUTING] } };

function conditions(world: World): string[] {
  const { conditions: all } = world.status();
  return (isList(all) ? all : []).map((each) => stringAt(each, 'type') ?? '');
}

test.each<[string, string, JsonMap]>([
  ['canaryStatus', 'canaryRevision', canary],
  ['blueGreenStatus', 'updatedRevision', blueGreen],
])(
  'before its first release a Rollout has a %s as after one, which kubectl-kruise describe needs',
  async (key, revision, strategy) => {
    const world = await opened({ strategy });
    await world.pass(5);
    expect(world.status()[key]).toMatchObject({
      ...{ currentStepIndex: 2, nextStepIndex: -1, currentStepState: 'Completed', finalisingStep: '' },
      ...{ [revision]: expect.stringMatching(/./), stableRevision: expect.stringMatching(/./) },
      ...{ podTemplateHash: expect.stringMatching(/./), rolloutHash: expect.stringMatching(/./) },
    });
  },
);

test('how the last release ended is told no longer when the next one begins', async () => {
  const world = await pausedAtStep1({ strategy: canary });
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(conditions(world)).toContain('Succeeded');
  world.release('v3');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(conditions(world)).not.toContain('Succeeded');
});
