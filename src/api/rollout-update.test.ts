import { expect, test } from 'vitest';
import type { Json } from '../json/value.ts';
import { convertRollout } from './conversion.ts';
import { V1ALPHA1, V1BETA1 } from './names.ts';
import { validateRollout, violationsText } from './rollout.ts';
import { ALPHA, BETA, blueGreen, CANARY, type Changes, changed, STEPS, text } from './rollouts.testing.ts';

test.each<[string, Changes, boolean]>([
  ['the same workload', {}, true],
  ['the same workload by another version of its API', { 'spec.workloadRef.apiVersion': 'apps/v1beta2' }, true],
  [
    'another group',
    { 'spec.workloadRef.apiVersion': 'apps.kruise.io/v1', 'spec.workloadRef.kind': 'StatefulSet' },
    false,
  ],
  ['another workload', { 'spec.workloadRef.name': 'other' }, false],
  ['another namespace', { 'metadata.namespace': 'other' }, false],
  ['the same Rollout', { 'metadata.name': 'web' }, false],
])('a workload has one Rollout: %s', (_title, changes, conflicts) => {
  const other = changed(changed(BETA, { 'metadata.name': 'first' }), changes);
  const found = [other, convertRollout(other, V1ALPHA1)].map((each) => text(BETA, { others: [each] }));
  const expected = conflicts ? /^spec\.workloadRef: is released by Rollout shop\/first already/ : /^$/;
  for (const each of found) expect(each).toMatch(expected);
  expect(text(ALPHA, { others: [other] })).toMatch(conflicts ? /^spec\.objectRef\.workloadRef: is released/ : /^$/);
});

const added = { service: 'api', ingress: { name: 'api' } };

test.each<[string, Changes, string]>([
  ['the workload', { 'spec.workloadRef.name': 'x' }, 'spec.workloadRef'],
  ['the trafficRoutings', { [`${CANARY}.trafficRoutings.1`]: added }, 'spec.strategy.canary.trafficRoutings'],
  ['the number of steps', { [`${STEPS}.3`]: { replicas: 9 } }, 'spec.strategy.canary.steps'],
  [
    'an extra workload or none',
    { [`${CANARY}.enableExtraWorkloadForCanary`]: false, [`${STEPS}.1.replicas`]: '50%' },
    'spec.strategy.canary.enableExtraWorkloadForCanary',
  ],
  ['canary or blue-green', blueGreen({}), 'spec.strategy'],
  [
    'whether there are canary Services',
    { [`${CANARY}.disableGenerateCanaryService`]: true },
    'spec.strategy.canary.disableGenerateCanaryService',
  ],
])('during a release %s cannot change', (_title, changes, path) => {
  for (const phase of ['Progressing', 'Terminating']) {
    const old = changed(BETA, { status: { phase } });
    expect(text(changed(old, changes), { old })).toMatch(
      new RegExp(`^${path.replaceAll('.', '\\.')}: cannot change while the Rollout is ${phase};[^\\n]*$`),
    );
  }
  for (const phase of ['Healthy', 'Initial', 'Disabling']) {
    const old = changed(BETA, { status: { phase } });
    expect(text(changed(old, changes), { old })).toBe('');
  }
});

test.each([true, false])(
  'during a release labels of pods cannot change where versions share a Service and are told apart by them: %s',
  (isShared) => {
    const old = changed(BETA, {
      status: { phase: 'Progressing' },
      [`${CANARY}.disableGenerateCanaryService`]: isShared,
      [`${CANARY}.patchPodTemplateMetadata`]: { labels: { version: 'canary' } },
    });
    const now = changed(old, { [`${CANARY}.patchPodTemplateMetadata`]: { labels: { version: 'gray' } } });
    expect(text(now, { old })).toMatch(
      isShared ? /^spec\.strategy\.canary\.patchPodTemplateMetadata\.labels: cannot change/ : /^$/,
    );
  },
);

test.each<[string, Changes, string | undefined]>([
  ['the workload', { 'spec.objectRef.workloadRef.name': 'x' }, 'spec.objectRef.workloadRef'],
  ['the number of steps', { [`${STEPS}.2`]: { weight: 70 } }, 'spec.strategy.canary.steps'],
  ['the trafficRoutings', { [`${CANARY}.trafficRoutings.1`]: added }, 'spec.strategy.canary.trafficRoutings'],
  [
    'the style',
    { 'metadata.annotations': { 'rollouts.kruise.io/rolling-style': 'partition' }, [`${STEPS}.1.replicas`]: '50%' },
    'metadata.annotations[rollouts.kruise.io/rolling-style]',
  ],
  ['nothing: the style in other words', { 'metadata.annotations': {}, [`${STEPS}.0.weight`]: 21 }, undefined],
  ['nothing: the grace period written out', { [`${CANARY}.trafficRoutings.0.gracePeriodSeconds`]: 3 }, undefined],
  [
    'nothing: what a step says',
    {
      [`${STEPS}.1.weight`]: 70,
      [`${STEPS}.1.pause`]: { duration: 5 },
      'spec.strategy.paused': true,
      'spec.disabled': true,
    },
    undefined,
  ],
])('during a release in v1alpha1 the same is frozen: %s', (_title, changes, path) => {
  const old = changed(ALPHA, { status: { phase: 'Progressing' } });
  const found = validateRollout(changed(old, changes), { old }).violations.map(
    (violation) => violationsText([violation]).split(': ')[0],
  );
  expect(found).toEqual(path === undefined ? [] : [path]);
  expect(validateRollout(changed(old, changes), { old: convertRollout(old, V1BETA1) }).violations.length).toBe(
    path === undefined ? 0 : 1,
  );
});

test('a write that leaves spec as it is passes, whatever the stored Rollout looks like', () => {
  const old = changed(BETA, { 'spec.workloadRef.kind': 'Job', [STEPS]: [] });
  expect(text(old)).not.toBe('');
  expect(validateRollout(changed(old, { 'metadata.finalizers': ['a'] }), { old, others: [BETA] })).toEqual({
    violations: [],
    warnings: [],
  });
});

test('a Rollout that is being deleted is held to its frame only', () => {
  const old = changed(BETA, { status: { phase: 'Terminating' }, 'metadata.deletionTimestamp': '2026-01-01T00:00:00Z' });
  expect(text(changed(old, { [`${STEPS}.0.replicas`]: 'x' }), { old })).toBe('');
  expect(text(changed(old, { 'spec.workloadRef.name': 'x' }), { old })).toMatch(/^spec\.workloadRef: cannot change/);
});

const lowered = (amounts: readonly Json[]): Changes => ({
  [CANARY]: { steps: amounts.map((replicas) => ({ replicas })) },
});
const AT = (step: number, state = 'StepPaused'): Changes => ({
  status: { phase: 'Progressing', currentStepIndex: step, currentStepState: state },
});

test.each<[string, Json[], Changes, Json[], string]>([
  [
    'to the next step that asks for as many',
    ['20%', '50%', '100%'],
    AT(2),
    ['20%', '30%', '100%'],
    'spec.strategy.canary.steps[1].replicas: is less than the 50% of the pods that step 2 has brought: they stay, and the release goes on at step 3, the first that asks for as many, without an approval of step 2',
  ],
  [
    'to the last one, where none does',
    [2, 4, 6],
    AT(2),
    [1, 2, 3],
    'spec.strategy.canary.steps[1].replicas: is less than the 4 pods that step 2 has brought: they stay, and the release goes on at step 3, the last one, without an approval of step 2',
  ],
  ['nowhere: the step asks for more', ['20%', '50%', '100%'], AT(2), ['20%', '60%', '100%'], ''],
  ['nowhere: it is another step', ['20%', '50%', '100%'], AT(1), ['20%', '30%', '100%'], ''],
  ['nowhere: it is the last step', ['20%', '100%'], AT(2), ['20%', '90%'], ''],
  ['nowhere: its pods are still to come', ['20%', '50%', '100%'], AT(2, 'StepUpgrade'), ['20%', '30%', '100%'], ''],
  ['where cannot be told: numbers and percentages', [2, 5, '100%'], AT(2), [2, 3, '100%'], ''],
  ['nowhere: no release runs', ['20%', '50%', '100%'], { status: { phase: 'Healthy' } }, ['20%', '30%', '100%'], ''],
])('a release whose step asks for less than it has brought goes on %s', (_title, was, status, is, expected) => {
  const old = changed(changed(BETA, lowered(was)), status);
  const found = validateRollout(changed(old, lowered(is)), { old });
  expect(found).toEqual({ violations: [], warnings: expected === '' ? [] : [expected] });
});
