import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMap, type JsonMap } from '../json/value.ts';
import type { Finding } from './conditions.ts';
import { aRollout } from './rollouts.testing.ts';
import { type Report, statusPatch } from './status.ts';

const now = new Date('2026-05-01T12:00:00Z');
const accepted: Finding = { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' };
const report: Report = { generation: 3, phase: 'Healthy', message: 'ready', steps: 2, findings: [accepted] };

/** The status after the patch. */
function after(status: JsonMap | undefined, what: Report): JsonMap {
  const patch = statusPatch(aRollout(status === undefined ? {} : { status }), what, now);
  const changes = isMap(patch?.['status']) ? patch['status'] : {};
  return { ...status, ...changes };
}

test('a patch names the resourceVersion that it was computed from, and only what changes', () => {
  const status = { ...after(undefined, report), phase: 'Initial' };
  expect(statusPatch(aRollout({ status, metadata: { resourceVersion: '77' } }), report, now)).toEqual({
    metadata: { resourceVersion: '77' },
    status: { phase: 'Healthy' },
  });
});

test.each<[string, JsonMap | undefined, Report['phase'], JsonMap]>([
  [
    'one that never released stands after its last step',
    undefined,
    'Healthy',
    { currentStepIndex: 2, currentStepState: 'Completed' },
  ],
  [
    'without its workload the required fields are zero',
    undefined,
    'Initial',
    { currentStepIndex: 0, currentStepState: '' },
  ],
  [
    'after a change of the steps it stands after the new last one',
    { currentStepIndex: 5, currentStepState: 'Completed' },
    'Healthy',
    { currentStepIndex: 2 },
  ],
  [
    'one that has released keeps where it stands',
    { currentStepIndex: 1, currentStepState: 'Completed', canaryStatus: {} },
    'Healthy',
    { currentStepIndex: 1 },
  ],
])('%s', (_, status, phase = '', expected) => {
  expect(after(status, { ...report, phase })).toMatchObject({ phase, ...expected });
});

test.each(['Progressing', 'Disabling', 'Terminating'])(
  'a Rollout that is %s keeps phase, message and step',
  (phase) => {
    const status = { phase, message: 'm', currentStepIndex: 1, currentStepState: 'StepPaused', canaryStatus: { x: 1 } };
    expect(after(status, report)).toMatchObject({ ...status, observedGeneration: 3 });
  },
);

test('for any status: sub-statuses and foreign fields stay, and a second report writes nothing', () => {
  const statuses = fc.record(
    {
      phase: fc.constantFrom('', 'Initial', 'Healthy', 'Progressing', 'Disabled'),
      currentStepIndex: fc.nat(5),
      currentStepState: fc.constantFrom('', 'Completed', 'StepPaused'),
      canaryStatus: fc.constant({ canaryRevision: 'x' }),
      blueGreenStatus: fc.constant({}),
      conditions: fc.constantFrom([], [{ type: 'Progressing', status: 'True', reason: '', message: '' }], null),
      foreign: fc.jsonValue(),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<JsonMap>;
  fc.assert(
    fc.property(statuses, fc.constantFrom('Initial', 'Healthy', 'Disabled'), (status, phase) => {
      const first = after(status, { ...report, phase });
      for (const key of ['canaryStatus', 'blueGreenStatus', 'foreign']) expect(first[key]).toBe(status[key]);
      expect(statusPatch(aRollout({ status: first }), { ...report, phase }, new Date('2030-01-01'))).toBeUndefined();
    }),
  );
});
