import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Amount, isReached, resolved, stepReplicas } from './replicas.ts';

const STYLES = ['partition', 'canary', 'blueGreen'] as const;
const styles = fc.constantFrom(...STYLES);
const percents = fc.integer({ min: 0, max: 100 });
const sizes = fc.integer({ min: 0, max: 10_000 });

describe('pods that a step asks for (compat §3.3)', () => {
  test.each<[Amount, number, { partition: number; canary: number; blueGreen: number }]>([
    // A number is itself, in every style, and never more than there are.
    [3, 10, { partition: 3, canary: 3, blueGreen: 3 }],
    [10, 10, { partition: 10, canary: 10, blueGreen: 10 }],
    [11, 10, { partition: 10, canary: 10, blueGreen: 10 }],
    [0, 10, { partition: 0, canary: 0, blueGreen: 0 }],
    [-1, 10, { partition: 0, canary: 0, blueGreen: 0 }],
    // A percentage is rounded up.
    ['0%', 10, { partition: 0, canary: 0, blueGreen: 0 }],
    ['1%', 10, { partition: 1, canary: 1, blueGreen: 1 }],
    ['21%', 10, { partition: 3, canary: 3, blueGreen: 3 }],
    ['50%', 5, { partition: 3, canary: 3, blueGreen: 3 }],
    // In floating point 0.07 * 100 is more than 7, and 0.55 * 100 more than 55.
    ['7%', 100, { partition: 7, canary: 7, blueGreen: 7 }],
    ['55%', 100, { partition: 55, canary: 55, blueGreen: 55 }],
    // One pod of the old version stays until a step says exactly 100 %, but for the extra Deployment.
    ['99%', 10, { partition: 9, canary: 10, blueGreen: 9 }],
    ['51%', 2, { partition: 1, canary: 2, blueGreen: 1 }],
    ['100%', 10, { partition: 10, canary: 10, blueGreen: 10 }],
    // Of a single pod, none can stay.
    ['1%', 1, { partition: 1, canary: 1, blueGreen: 1 }],
    ['50%', 0, { partition: 0, canary: 0, blueGreen: 0 }],
    [5, 0, { partition: 0, canary: 0, blueGreen: 0 }],
  ])('%s of %i', (amount, replicas, expected) => {
    expect(Object.fromEntries(STYLES.map((style) => [style, stepReplicas(amount, replicas, style)]))).toEqual(expected);
  });

  test('from 0 to the size of the workload, whatever the step says', () => {
    const amounts = fc.oneof(
      fc.integer({ min: -10, max: 20_000 }),
      fc.nat(200).map((percent) => `${percent}%`),
      fc.string(),
    );
    fc.assert(
      fc.property(amounts, sizes, styles, (amount, replicas, style) => {
        const pods = stepReplicas(amount, replicas, style);
        expect(Number.isInteger(pods) && pods >= 0 && pods <= replicas).toBe(true);
      }),
    );
  });

  test('a percentage is the smallest number of pods that is at least that part, less the one that stays', () => {
    fc.assert(
      fc.property(percents, sizes, styles, (percent, replicas, style) => {
        const pods = stepReplicas(`${percent}%`, replicas, style);
        const isOneLeft = style !== 'canary' && percent < 100 && replicas > 1 && pods === replicas - 1;
        expect(isOneLeft || 100 * pods >= percent * replicas).toBe(true);
        expect(100 * (pods - 1)).toBeLessThan(Math.max(1, percent * replicas));
      }),
    );
  });

  test('an old pod is left below 100 %, and none at 100 %, where the versions share one Deployment', () => {
    fc.assert(
      fc.property(percents, sizes, fc.constantFrom('partition', 'blueGreen'), (percent, replicas, style) => {
        const left = replicas - stepReplicas(`${percent}%`, replicas, style);
        expect(left > 0).toBe(percent < 100 && (replicas > 1 || (percent === 0 && replicas === 1)));
      }),
    );
  });

  test('a step that asks for more of the pods never gets fewer', () => {
    fc.assert(
      fc.property(percents, percents, sizes, styles, (a, b, replicas, style) => {
        const [less, more] = [`${Math.min(a, b)}%`, `${Math.max(a, b)}%`];
        expect(stepReplicas(more, replicas, style)).toBeGreaterThanOrEqual(stepReplicas(less, replicas, style));
      }),
    );
  });
});

describe('an amount, resolved as Kubernetes does', () => {
  test.each<[Amount, number, { up: number; down: number }]>([
    [4, 10, { up: 4, down: 4 }],
    ['25%', 10, { up: 3, down: 2 }],
    ['25%', 8, { up: 2, down: 2 }],
    ['1%', 1, { up: 1, down: 0 }],
    ['150%', 10, { up: 15, down: 15 }],
    ['half', 10, { up: 0, down: 0 }],
    ['5', 10, { up: 0, down: 0 }],
    ['-5%', 10, { up: 0, down: 0 }],
    ['', 10, { up: 0, down: 0 }],
  ])('%s of %i', (amount, total, { up, down }) => {
    expect([resolved(amount, total, 'up'), resolved(amount, total, 'down')]).toEqual([up, down]);
  });
});

describe('a step has its pods (compat §3.3)', () => {
  test.each<[string, number, readonly [created: number, ready: number], Amount | undefined, boolean]>([
    ['all are ready', 5, [5, 5], undefined, true],
    ['one is missing', 5, [4, 4], undefined, false],
    ['one is unready, and nothing is said of that: none may be', 5, [5, 4], undefined, false],
    ['one is unready, and one may be', 5, [5, 4], 1, true],
    ['two are unready, and one may be', 5, [5, 3], 1, false],
    ['one was never made: a threshold is for unready pods, not for missing ones', 5, [4, 4], 1, false],
    ['more are there than asked for, and as many as asked for are ready', 5, [7, 5], undefined, true],
    ['one of 5 is unready, and 20 % may be', 5, [5, 4], '20%', true],
    ['two of 5 are unready, and 20 % may be', 5, [5, 3], '20%', false],
    ['two of 5 are unready, and 21 % may be, which is rounded up', 5, [5, 3], '21%', true],
    ['percent of the pods that are there, not of those that are asked for', 5, [10, 3], '20%', true],
    ['none is ready, and all may be unready: one has to be', 5, [5, 0], '100%', false],
    ['one is ready, and all may be unready', 5, [5, 1], '100%', true],
    ['one of one is unready, and one may be', 1, [1, 0], 1, false],
    ['none is asked for', 0, [0, 0], undefined, true],
    ['none is asked for, and some are there from a step before', 0, [3, 0], undefined, true],
    ['a threshold that is no number counts as none', 5, [5, 4], 'some', false],
  ])('%s', (_, target, [created, ready], threshold, expected) => {
    expect(isReached(target, { created, ready }, threshold)).toBe(expected);
  });

  const situations = fc
    .record({ target: fc.nat(60), created: fc.nat(60), part: fc.nat(60) })
    .map(({ part, ...rest }) => ({ ...rest, ready: Math.min(part, rest.created) }));
  const thresholds = fc.oneof(
    fc.nat(60),
    percents.map((percent) => `${percent}%`),
  );

  test('never without as many pods as asked for, one of them ready', () => {
    fc.assert(
      fc.property(situations, thresholds, ({ target, created, ready }, threshold) => {
        if (!isReached(target, { created, ready }, threshold)) return;
        expect(created).toBeGreaterThanOrEqual(target);
        expect(ready).toBeGreaterThanOrEqual(Math.min(1, target));
        expect(target - ready).toBeLessThanOrEqual(resolved(threshold, created, 'up'));
      }),
    );
  });

  test('without a threshold exactly when as many as asked for are ready', () => {
    fc.assert(
      fc.property(situations, ({ target, created, ready }) => {
        expect(isReached(target, { created, ready })).toBe(ready >= target);
      }),
    );
  });

  test('one more ready pod never undoes it', () => {
    fc.assert(
      fc.property(situations, thresholds, ({ target, created, ready }, threshold) => {
        fc.pre(ready < created && isReached(target, { created, ready }, threshold));
        expect(isReached(target, { created, ready: ready + 1 }, threshold)).toBe(true);
      }),
    );
  });
});
