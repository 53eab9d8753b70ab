import { expect, test } from 'vitest';
import type { JsonMap } from '../../src/json/value.ts';
import { opened } from './opened.ts';
import { ROUTING } from './world.ts';

/**
 * Pods that never become ready, and `failureThreshold` (compat §3.3, W26, W38): as many as it says hold no step up, in
 * every style, and one more does.
 */

const steps: JsonMap[] = [{ traffic: '50%', replicas: '50%', pause: {} }, { replicas: '100%' }];

const styled = (style: string, failureThreshold: number | string | undefined): JsonMap => {
  const plan: JsonMap = {
    steps,
    trafficRoutings: [ROUTING],
    ...(failureThreshold === undefined ? {} : { failureThreshold }),
  };
  if (style === 'blue-green') return { blueGreen: plan };
  return { canary: style === 'canary' ? { ...plan, enableExtraWorkloadForCanary: true } : plan };
};

/** The first `count` pods of version v2 never become ready. */
function failing(count: number): (pod: JsonMap) => number | 'never' {
  let made = 0;
  return (pod) => {
    if (!JSON.stringify(pod).includes('web:v2"')) return 1_000;
    made += 1;
    return made <= count ? 'never' : 1_000;
  };
}

const STYLES = ['partition', 'canary', 'blue-green'];
const THRESHOLDS: [number | string | undefined, number][] = [
  [undefined, 0],
  [1, 1],
  ['20%', 1],
  ['21%', 2],
];
const cases = STYLES.flatMap((style) =>
  THRESHOLDS.map(
    ([threshold, allowed]) => [style, threshold, allowed] as [string, number | string | undefined, number],
  ),
);

test.each(cases)(
  '%s: with a failureThreshold of %s a step of 5 pods goes on with %i that never become ready, and only its ready ones get traffic',
  async (style, threshold, allowed) => {
    const world = await opened({ strategy: styled(style, threshold), native: { readyAfter: failing(allowed) } });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    expect(world.desired()['v2']).toBe(5);
    expect(world.ready()['v2']).toBe(5 - allowed);
    expect(world.weights()).toEqual({ web: 50, 'web-canary': 50 });
    expect(world.endpoints('web-canary')).toEqual({ v2: 5 - allowed });
  },
);

test.each(cases)(
  '%s: with a failureThreshold of %s one more than %i holds it up: no traffic moves, and the old version can be had back',
  async (style, threshold, allowed) => {
    const world = await opened({ strategy: styled(style, threshold), native: { readyAfter: failing(allowed + 1) } });
    world.release('v2');
    await world.pass(120);
    expect(world.stands()).toBe('1 StepUpgrade');
    expect(world.status()['message']).toContain(
      `waits for 5 ready pods of the new version (${4 - allowed} of 5 are ready)`,
    );
    expect(world.weights()).toEqual({ web: 100 });
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy');
    await world.pass(5); // its owner's maxUnavailable lets two more pods come back after the end
    expect(world.ready()).toEqual({ v1: 10 });
  },
);

test.each(STYLES)('%s: a threshold that is raised while a step waits counts at once', async (style) => {
  const world = await opened({ strategy: styled(style, 0), native: { readyAfter: failing(1) } });
  world.release('v2');
  await world.pass(60);
  expect(world.stands()).toBe('1 StepUpgrade');
  world.plan(styled(style, 1));
  await world.until('step 1', () => world.stands() === '1 StepPaused', 10);
  expect(world.events.join('\n')).not.toContain('the plan has changed');
});
