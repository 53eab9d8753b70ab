import { expect, test } from 'vitest';
import type { JsonMap } from '../../json/value.ts';
import {
  ARMED,
  deployment,
  directive,
  HELD,
  healthy,
  progressing,
  rollout,
  TEMPLATE_HASHES,
  TEMPLATES,
} from './release.testing.ts';
import { rolloutStatus } from './rollout-status.ts';
import { type Stage, stageOf } from './stage.ts';
import { currentTemplate, directiveOn } from './versions.ts';

const NEW = deployment({}, HELD);
const OLD = deployment({ template: TEMPLATES.stable }, ARMED);
const STABLE = TEMPLATE_HASHES.stable;
const held = (revision: string) =>
  deployment({}, directive({ type: 'workload', style: 'partition', stable: STABLE, paused: true }, { revision }));
const [THIRD, BACK] = [held('third'), held(STABLE)];
const ended = (outcome: string) => healthy({ outcome, finishTime: '2026-05-01T11:00:00Z' });
const phase = (name: string): JsonMap => ({ phase: name, currentStepIndex: 0, currentStepState: '' });
const closing = (reason: string, outcome = '') => progressing({}, { reason, release: { outcome } });

test.each<[string, Stage, JsonMap, JsonMap | undefined]>([
  ['nobody has looked at it', 'new', {}, OLD],
  ['its workload is missing', 'new', phase('Initial'), undefined],
  ['nothing was ever released', 'resting', healthy(), OLD],
  ['a release has succeeded', 'resting', ended('Success'), deployment({}, ARMED)],
  ['a release was rolled back by the old template', 'resting', ended('Rollback'), OLD],
  ['a version is held, and no release has begun', 'held', healthy(), NEW],
  ['a version is held after one that was aborted', 'held', closing('Paused', 'Abort'), THIRD],
  ['the old template comes back after an abort', 'returning', closing('Paused', 'Abort'), BACK],
  ['a version is taken back before its release began', 'returning', healthy(), BACK],
  ['a release was aborted, and its version is stored', 'stopped', closing('Paused', 'Abort'), NEW],
  ['a release has failed, and its version is stored', 'stopped', closing('Paused', 'Failure'), NEW],
  ['the same, told by the phase', 'stopped', ended('Abort'), NEW],
  ['a release goes forward', 'releasing', progressing(), NEW],
  ['a release begins', 'releasing', closing('Initializing'), NEW],
  ['a release is paused', 'releasing', closing('Paused'), NEW],
  ['the old template is back, and nobody has looked', 'returning', progressing(), BACK],
  ['all steps are done', 'finishing', closing('Finalising', 'Success'), NEW],
  ['all is done', 'finishing', closing('Completed', 'Success'), NEW],
  ['the old template is back', 'returning', closing('Cancelling', 'Rollback'), OLD],
  ['it was aborted', 'returning', closing('Cancelling', 'Abort'), NEW],
  ['a third version has come', 'releasing', progressing(), THIRD],
  ['it is being disabled', 'disabled', phase('Disabling'), NEW],
  ['it is disabled', 'disabled', phase('Disabled'), OLD],
  ['it is being deleted', 'deleting', phase('Terminating'), NEW],
])('when %s the stage is %s', (_, stage, status, workload) => {
  expect(stageOf(rolloutStatus(rollout(status)), directiveOn(workload, 'web'))).toBe(stage);
});

test('the hashes of these tests are those of two templates', () => {
  expect(TEMPLATE_HASHES.stable).not.toBe(TEMPLATE_HASHES.canary);
  expect(currentTemplate(NEW)).toBe(TEMPLATE_HASHES.canary);
});

test('a status of OpenKruise tells by a condition how the last release ended, once it has', () => {
  const withSucceeded = (status: string, name: string) => {
    const conditions = [{ type: 'Succeeded', status, reason: '', message: '' }];
    return rolloutStatus(rollout({ phase: name, conditions })).outcome;
  };
  expect(withSucceeded('True', 'Healthy')).toBe('Success');
  expect(withSucceeded('False', 'Healthy')).toBe('Rollback');
  expect(withSucceeded('False', 'Progressing')).toBeUndefined();
});
