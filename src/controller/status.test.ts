import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMap, type JsonMap } from '../json/value.ts';
import { mergePatch } from './cluster.testing.ts';
import type { Finding } from './conditions.ts';
import { aRollout } from './rollouts.testing.ts';
import { type Report, statusPatch } from './status.ts';

const now = new Date('2026-05-01T12:00:00Z');
const accepted: Finding = { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' };
const version = { template: 't', podTemplateHash: 'p', rolloutId: 'id', workloadGeneration: 4 };
const rest = { style: 'partition', steps: 2, planHash: 'h', version } as const;
const report: Report = { generation: 3, phase: 'Healthy', message: 'ready', findings: [accepted], rest };
/** What OpenKruise has left of a release that is over. */
const left = { podTemplateHash: 'old', rolloutHash: 'x', currentStepIndex: 5, currentStepState: 'Completed' };

/** The status after the patch. */
function after(status: JsonMap | undefined, what: Report): JsonMap {
  const patch = statusPatch(aRollout(status === undefined ? {} : { status }), what, now);
  const changes = isMap(patch?.['status']) ? patch['status'] : {};
  return mergePatch(status ?? {}, changes) as JsonMap;
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
    {
      ...{ currentStepIndex: 2, currentStepState: 'Completed' },
      canaryStatus: {
        ...{ observedWorkloadGeneration: 4, observedRolloutID: 'id', rolloutHash: 'h' },
        ...{
          stableRevision: 'p',
          podTemplateHash: 'p',
          canaryRevision: 't',
          canaryReplicas: 0,
          canaryReadyReplicas: 0,
        },
        ...{ currentStepIndex: 2, nextStepIndex: -1, currentStepState: 'Completed', finalisingStep: '', message: '' },
      },
    },
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
    { currentStepIndex: 5, currentStepState: 'Completed', canaryStatus: left, release: { startTime: 'x' } },
    'Healthy',
    { currentStepIndex: 5, canaryStatus: left },
  ],
  [
    'one that OpenKruise has left in a release keeps where it stands',
    { currentStepIndex: 1, currentStepState: 'StepPaused', canaryStatus: { currentStepState: 'StepPaused' } },
    'Healthy',
    { currentStepIndex: 1, currentStepState: 'StepPaused', canaryStatus: { currentStepState: 'StepPaused' } },
  ],
])('%s', (_, status, phase = '', expected) => {
  expect(after(status, { ...report, phase })).toMatchObject({ phase, ...expected });
});

test('without another look at the workload the plan is told anew, and the version stays', () => {
  const before = { currentStepIndex: 5, currentStepState: 'Completed', canaryStatus: left };
  expect(after(before, { ...report, rest: { ...rest, version: undefined } })).toMatchObject({
    currentStepIndex: 2,
    canaryStatus: { podTemplateHash: 'old', rolloutHash: 'h', currentStepIndex: 2 },
  });
});

test.each([
  ['canaryStatus', 'blueGreen', 'blueGreenStatus'],
  ['blueGreenStatus', 'canary', 'canaryStatus'],
] as const)('%s goes where the style is %s now: clients would take it for that of the release', (old, style, key) => {
  const patch = statusPatch(aRollout({ status: { [old]: left } }), { ...report, rest: { ...rest, style } }, now);
  expect(patch?.['status']).toMatchObject({ [old]: null, [key]: { podTemplateHash: 'p' } });
});

test('where only an error is told, phase, message and step stay', () => {
  const status = { phase: 'Progressing', message: 'm', currentStepIndex: 1, currentStepState: 'StepPaused' };
  const { phase: _1, message: _2, ...error } = report;
  expect(after({ ...status, canaryStatus: { x: 1 } }, error)).toMatchObject({ ...status, canaryStatus: { x: 1 } });
});

test('the fields of a release are what they are said to be, and what is said no longer goes', () => {
  const before = { release: { weight: 20, startTime: 'x' }, canaryStatus: { x: 1 }, foreign: 1 };
  const release = { currentStepIndex: 2, currentStepState: 'StepUpgrade', release: { startTime: 'x' } };
  const patch = statusPatch(aRollout({ status: before }), { ...report, phase: 'Progressing', release }, new Date());
  expect(patch?.['status']).toMatchObject({
    phase: 'Progressing',
    currentStepIndex: 2,
    currentStepState: 'StepUpgrade',
    release: { weight: null },
  });
});

test('for any status: foreign fields stay, and a second report writes nothing', () => {
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
      for (const key of ['canaryStatus', 'foreign'])
        if (status[key] !== undefined) expect(first[key]).toEqual(status[key]);
      expect(statusPatch(aRollout({ status: first }), { ...report, phase }, new Date('2030-01-01'))).toBeUndefined();
    }),
  );
});
