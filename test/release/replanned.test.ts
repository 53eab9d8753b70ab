import { expect, test } from 'vitest';
import { validateRollout } from '../../src/api/rollout.ts';
import { at, type Json, type JsonMap } from '../../src/json/value.ts';
import { opened } from './opened.ts';

/** A plan that changes in a release (compat §2.5), and what people are warned of in that write. */

const strategy = (steps: readonly Json[]): JsonMap => ({
  canary: { steps: steps.map((replicas) => ({ replicas, ...(replicas === '100%' ? {} : { pause: {} }) })) },
});

test.each<[string, Json[], Json[], string, string]>([
  ['to the next step that asks for as many', ['20%', '50%', '100%'], ['20%', '30%', '100%'], 'Healthy', 'at step 3'],
  ['to the last one, where none does', [2, 4, 6], [1, 2, 3], '3 StepPaused', 'at step 3, the last one'],
])(
  'a step that asks for less than it has brought is left unapproved, %s: the write warns of it',
  async (_, before, after, end, warning) => {
    const world = await opened({ strategy: strategy(before) });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    world.approve();
    await world.until('step 2', () => world.stands() === '2 StepPaused');
    const [old, pods] = [world.rollout(), world.ready()['v2'] ?? 0];
    world.plan(strategy(after));
    expect(validateRollout(world.rollout(), { old })).toEqual({
      violations: [],
      warnings: [expect.stringContaining(`the release goes on ${warning}`)],
    });
    await world.until('where it was said to go', () => world.stands() === end);
    expect(world.ready()['v2']).toBeGreaterThanOrEqual(pods);
  },
);

test('a plan that asks for as many at the step where it is stays there, and nobody is warned', async () => {
  const world = await opened({ strategy: strategy(['20%', '50%', '100%']) });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  const old = world.rollout();
  world.plan(strategy(['40%', '50%', '100%']));
  expect(validateRollout(world.rollout(), { old }).warnings).toEqual([]);
  await world.until('the pods of the new plan', () => world.ready()['v2'] === 4);
  await world.pass(30);
  expect([world.stands(), at(world.status(), ['canaryStatus', 'nextStepIndex'])]).toEqual(['1 StepPaused', 2]);
});
