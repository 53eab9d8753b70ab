import { expect, test } from 'vitest';
import type { JsonMap } from '../../json/value.ts';
import { conclusionOf } from './conclusion.ts';
import { pictureOf } from './picture-of.ts';
import {
  ARMED,
  ago,
  deployment,
  HELD,
  healthy,
  NOW,
  observed,
  progressing,
  rollout,
  TEMPLATES,
} from './release.testing.ts';
import { isUnderWay, type Verdict, verdictOf } from './verdict.ts';

const NEW = deployment({}, HELD);
const OLD = deployment({ template: TEMPLATES.stable }, ARMED);
const DONE = deployment({}, ARMED);
const picture = (status: JsonMap, workload: JsonMap, spec: JsonMap = {}) =>
  pictureOf(observed([rollout(status, {}, spec), workload]), NOW);
const stopped = (outcome: string) => progressing({}, { reason: 'Paused', release: { outcome } });
const ended = (outcome: string) => healthy({ outcome, finishTime: ago(10) });

test.each<[string, JsonMap, JsonMap, boolean, Verdict]>([
  ['nothing was ever released', healthy(), OLD, false, 'succeeded'],
  ['a release goes on', progressing(), NEW, true, 'running'],
  ['a version is held before its release has begun', ended('Success'), NEW, false, 'running'],
  ['the controller has not taken the Rollout in', {}, OLD, false, 'running'],
  [
    'the closing sequence runs',
    progressing({}, { reason: 'Finalising', release: { outcome: 'Success' } }),
    NEW,
    true,
    'running',
  ],
  ['it goes back', progressing({}, { reason: 'Cancelling', release: { outcome: 'Rollback' } }), OLD, true, 'running'],
  ['it was seen to succeed', ended('Success'), DONE, true, 'succeeded'],
  ['it was seen to be rolled back', ended('Rollback'), OLD, true, 'wentBack'],
  ['it was rolled back before anybody looked', ended('Rollback'), OLD, false, 'succeeded'],
  ['it was aborted, and the version is held', stopped('Abort'), NEW, false, 'wentBack'],
  ['it failed, and the version is held', stopped('Failure'), NEW, true, 'wentBack'],
  ['it was ended by disabling', { ...ended('Disabled'), phase: 'Disabled' }, DONE, true, 'wentBack'],
  ['its workload was deleted', { ...ended('WorkloadGone'), phase: 'Initial' }, NEW, true, 'wentBack'],
  ['it is disabled', { phase: 'Disabled' }, OLD, false, 'succeeded'],
  ['it is being deleted', { phase: 'Terminating' }, OLD, true, 'running'],
])('when %s the verdict is the last of these: seen under way %#', (_, status, workload, wasRunning, verdict) => {
  expect(verdictOf(picture(status, workload), wasRunning)).toBe(verdict);
});

test('a release is under way from the write that held its version to its end', () => {
  const under = [healthy(), progressing(), progressing({}, { reason: 'Cancelling' })];
  expect(under.map((status) => isUnderWay(picture(status, NEW)))).toEqual([true, true, true]);
  expect([picture(healthy(), OLD), picture(stopped('Abort'), NEW)].map(isUnderWay)).toEqual([false, false]);
});

const said = { wasRunning: true, timeout: 600, programName: 'kubectl sluice' };

test.each<[string, Parameters<typeof conclusionOf>, number, string]>([
  ['success', ['succeeded', picture(ended('Success'), DONE), said], 0, 'released'],
  ['nothing to do', ['succeeded', undefined, { ...said, wasRunning: false }], 0, 'there is nothing to release'],
  ['an abort', ['wentBack', picture(stopped('Abort'), NEW), said], 3, 'the release has ended with Abort'],
  ['a deleted Rollout', ['gone', undefined, said], 3, 'it has been deleted'],
  ['a signal', ['interrupted', undefined, said], 130, 'interrupted before its end'],
  [
    'an approval that did not come',
    ['timeout', picture(progressing(), NEW), said],
    2,
    'not at its end after 10m, step 2/3 StepPaused: step 2 waits for approval: kubectl sluice approve web -n shop',
  ],
  [
    'a pause that is longer than the patience',
    ['timeout', picture(progressing({ currentStepIndex: 1 }), NEW), said],
    4,
    'not at its end after 10m, step 1/3 StepPaused: step 1 pauses: kubectl sluice approve web -n shop',
  ],
  [
    'somebody who paused it',
    ['timeout', picture(progressing(), NEW, { strategy: { paused: true, canary: { steps: [] } } }), said],
    4,
    'not at its end after 10m, step 2/0 StepPaused: the release is paused: kubectl sluice resume web -n shop',
  ],
  [
    'a controller that does nothing',
    ['timeout', picture({}, OLD), said],
    4,
    'not at its end after 10m, not taken in yet: the controller has not taken the Rollout in yet',
  ],
  [
    'a cluster that cannot be watched',
    ['timeout', undefined, said],
    4,
    'not at its end after 10m: the cluster could not be watched',
  ],
])('the exit code and the last word of --wait: %s', (_, given, code, text) => {
  expect(conclusionOf(...given)).toEqual({ code, text });
});
