import { expect, test } from 'vitest';
import { bar, listed, listRows } from './listing.ts';
import { healthy, NOW, progressing, rollout } from './release.testing.ts';
import { table, UNPAINTED } from './table.ts';

const LONG = 'a message that is much longer than anybody would want to have in the middle of a table';
const all = [
  listed(rollout({ ...progressing(), message: LONG }), NOW),
  listed(rollout(healthy({ outcome: 'Success' }), {}, {}, { name: 'checkout' }), NOW),
  listed(
    rollout(
      progressing({ currentStepIndex: 1 }, { release: { weight: null } }),
      {},
      { strategy: { paused: true, blueGreen: { steps: [] } } },
    ),
    NOW,
  ),
  listed(rollout({}, {}, {}, { name: 'new', creationTimestamp: undefined as never }), NOW),
];

test('the table has a row for each Rollout', () => {
  expect(table(listRows(all, { wide: false, namespaces: false }), UNPAINTED)).toEqual([
    'NAME       STYLE       PHASE         STEP      STATE                 TRAFFIC         MESSAGE                                                        AGE',
    'web        partition   Progressing   2/3 ●◐○   StepPaused            20% + matches   a message that is much longer than anybody would want to ha…   4d',
    'checkout   partition   Healthy       3/3 ●●●   Completed             -               -                                                              4d',
    'web        blueGreen   Progressing   -         StepPaused (paused)   matches         -                                                              4d',
    'new        partition   -             0/3 ○○○   -                     -               -                                                              -',
  ]);
});

test('wide has whole messages, the workload and the outcome; all namespaces have their name', () => {
  const [heads, first, second] = listRows(all, { wide: true, namespaces: true });
  expect(heads).toEqual('NAMESPACE NAME STYLE PHASE STEP STATE TRAFFIC WORKLOAD OUTCOME MESSAGE AGE'.split(' '));
  expect(first).toEqual(expect.arrayContaining(['shop', 'Deployment web', '-', LONG]));
  expect(second).toEqual(expect.arrayContaining(['Success']));
});

test('a Rollout as `-o json` has it', () => {
  expect(all[0]).toEqual({
    namespace: 'shop',
    name: 'web',
    style: 'partition',
    phase: 'Progressing',
    step: 2,
    steps: 3,
    state: 'StepPaused',
    paused: false,
    weight: 20,
    hasMatches: true,
    workload: { kind: 'Deployment', name: 'web' },
    message: LONG,
    ageSeconds: 345_600,
  });
});

test.each([
  [0, 3, '', '○○○'],
  [1, 3, 'StepUpgrade', '◐○○'],
  [3, 3, 'StepPaused', '●●◐'],
  [3, 3, 'Completed', '●●●'],
  [1, 50, 'StepUpgrade', '◐○○○○○○○'],
  [26, 50, 'StepUpgrade', '●●●●◐○○○'],
  [50, 50, 'StepUpgrade', '●●●●●●●◐'],
  [0, 0, '', ''],
])('step %i of %i, %s, is drawn as %s', (step, steps, state, drawn) => {
  expect(bar({ step, steps, state })).toBe(drawn);
});
