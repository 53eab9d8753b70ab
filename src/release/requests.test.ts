import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BETA, changed } from '../api/rollouts.testing.ts';
import { fieldPath } from '../api/violation.ts';
import { mergePatch } from '../json/merge-patch.ts';
import { isMap, type Json, type JsonMap } from '../json/value.ts';
import { statusViolations } from './requests.ts';

const PAUSED_AT = '2026-01-02T03:04:05.500Z';
const at = (milliseconds: number) => Date.parse(PAUSED_AT) + milliseconds;
const LATER = at(60_000);

const SUB = {
  observedWorkloadGeneration: 4,
  observedRolloutID: 'id',
  podTemplateHash: 'abc',
  currentStepIndex: 2,
  nextStepIndex: 3,
  currentStepState: 'StepPaused',
  finalisingStep: '',
  lastUpdateTime: PAUSED_AT,
};
const RELEASE = { stableTemplate: 'a', canaryTemplate: 'b', startTime: '2026-01-02T03:00:00Z' };

/** A Rollout of three steps that waits in step 2. */
function rollout(status: JsonMap = {}, sub: JsonMap = {}, strategy: 'canary' | 'blueGreen' = 'canary'): JsonMap {
  const steps = [1, 2, 3].map((replicas) => ({ replicas }));
  return changed(BETA, {
    'spec.strategy': { [strategy]: { steps } },
    status: {
      phase: 'Progressing',
      message: 'waits',
      currentStepIndex: 2,
      currentStepState: 'StepPaused',
      conditions: [{ type: 'Progressing', status: 'True', reason: 'InRolling', message: '' }],
      [`${strategy}Status`]: { ...SUB, ...sub },
      release: RELEASE,
      ...status,
    },
  });
}

/** RFC 7386, as clients send it to `/status`. */
function patched(value: Json | undefined, patch: Json): Json {
  if (!isMap(patch)) return patch;
  const map: Record<string, Json> = { ...(isMap(value) ? value : {}) };
  for (const [key, part] of Object.entries(patch)) {
    if (part === null) delete map[key];
    else map[key] = patched(map[key], part);
  }
  return map;
}

const write = (stored: JsonMap, status: JsonMap, now = LATER) =>
  statusViolations(patched(stored, { status }) as JsonMap, stored, now);
const fields = (stored: JsonMap, status: JsonMap, now = LATER) =>
  write(stored, status, now).map(({ path }) => fieldPath(path));

const APPROVAL = { canaryStatus: { currentStepState: 'StepReady' } };

describe('what clients may write', () => {
  test.each<[string, JsonMap, JsonMap]>([
    ['kubectl-kruise rollout approve', rollout(), APPROVAL],
    [
      'the same of a blue-green release',
      rollout({}, {}, 'blueGreen'),
      { blueGreenStatus: { currentStepState: 'StepReady' } },
    ],
    ['an approval that names its step', rollout(), { ...APPROVAL, release: { approvedStep: 2 } }],
    ['the same approval once more', rollout({}, { currentStepState: 'StepReady' }), APPROVAL],
    ['kubectl-kruise rollout undo --fast', rollout(), { canaryStatus: { nextStepIndex: 1 } }],
    ['a jump forward', rollout({}, { currentStepState: 'StepUpgrade' }), { canaryStatus: { nextStepIndex: 3 } }],
    ['a jump to the step that it is at', rollout(), { canaryStatus: { nextStepIndex: 2 } }],
    [
      'an approval that says what comes next',
      rollout(),
      { canaryStatus: { currentStepState: 'StepReady', nextStepIndex: 1 } },
    ],
    ['promote', rollout(), { release: { request: 'promote' } }],
    [
      'abort, of a release that an older version has begun',
      rollout({ release: null }),
      { release: { request: 'abort' } },
    ],
    ['retry', rollout({ release: { ...RELEASE, outcome: 'Abort' } }), { release: { request: 'retry' } }],
    ['a request taken back', rollout({ release: { ...RELEASE, request: 'promote' } }), { release: { request: '' } }],
    ['a request taken away', rollout({ release: { ...RELEASE, request: 'promote' } }), { release: { request: null } }],
    ['nothing at all', rollout(), {}],
  ])('%s', (_, stored, status) => {
    const whole = stored['status'] as JsonMap;
    const { release, ...rest } = whole;
    const clean = release === null ? { ...stored, status: rest } : stored;
    expect(write(clean, status)).toEqual([]);
  });

  test('in v1alpha1, which shows no more of a status than its canaryStatus', () => {
    const alpha: JsonMap = {
      apiVersion: 'rollouts.kruise.io/v1alpha1',
      kind: 'Rollout',
      metadata: { name: 'web' },
      spec: { strategy: { canary: { steps: [{ weight: 20 }, { weight: 60 }] } } },
      status: { phase: 'Progressing', canaryStatus: SUB },
    };
    expect(write(alpha, APPROVAL)).toEqual([]);
    expect(fields(alpha, { canaryStatus: { nextStepIndex: 4 } })).toEqual(['status.canaryStatus.nextStepIndex']);
  });

  test('whatever API servers make of metadata', () => {
    const stored = rollout();
    const incoming = { ...stored, metadata: { name: 'web', managedFields: [], resourceVersion: '2' } };
    expect(statusViolations(incoming, stored, LATER)).toEqual([]);
  });
});

describe('what is refused, by its field, with what to do', () => {
  test.each<[string, JsonMap, JsonMap, string, string]>([
    [
      'an approval of a step that does not wait',
      rollout({}, { currentStepState: 'StepUpgrade' }),
      APPROVAL,
      'status.canaryStatus.currentStepState',
      'step 2 does not wait for an approval: it is in StepUpgrade; wait until it is StepPaused',
    ],
    [
      'an approval where nothing is released',
      rollout({ phase: 'Healthy' }, { currentStepState: 'Completed' }),
      APPROVAL,
      'status.canaryStatus.currentStepState',
      'it is in Completed',
    ],
    [
      'another state',
      rollout(),
      { canaryStatus: { currentStepState: 'Completed' } },
      'status.canaryStatus.currentStepState',
      'can only be written as StepReady',
    ],
    [
      'an approval of another step than it names',
      rollout(),
      { ...APPROVAL, release: { approvedStep: 1 } },
      'status.release.approvedStep',
      'names step 1, but the release is at step 2; look at that one, and approve it',
    ],
    [
      'a step that is named without an approval',
      rollout(),
      { release: { approvedStep: 2 } },
      'status.release.approvedStep',
      'write it together with currentStepState: StepReady',
    ],
    [
      'a jump beyond the last step',
      rollout(),
      { canaryStatus: { nextStepIndex: 4 } },
      'status.canaryStatus.nextStepIndex',
      'must be the number of a step to jump to, 1 to 3, not 4',
    ],
    [
      'a jump to no step',
      rollout(),
      { canaryStatus: { nextStepIndex: 0 } },
      'status.canaryStatus.nextStepIndex',
      '1 to 3',
    ],
    [
      'a jump to half a step',
      rollout(),
      { canaryStatus: { nextStepIndex: 1.5 } },
      'status.canaryStatus.nextStepIndex',
      '1.5',
    ],
    [
      'a jump where nothing is released',
      rollout({ phase: 'Healthy' }),
      { canaryStatus: { nextStepIndex: 1 } },
      'status.canaryStatus.nextStepIndex',
      'none is under way: the Rollout is Healthy',
    ],
    [
      'a request that nobody knows',
      rollout(),
      { release: { request: 'hurry' } },
      'status.release.request',
      'must be promote, abort, retry or empty, not "hurry"',
    ],
    [
      'a request where nothing is released',
      rollout({ phase: 'Disabled' }),
      { release: { request: 'promote' } },
      'status.release.request',
      'none is under way: the Rollout is Disabled',
    ],
    ['the phase', rollout(), { phase: 'Healthy' }, 'status.phase', 'canaryStatus.nextStepIndex to jump'],
    [
      'the phase of a blue-green release',
      rollout({}, {}, 'blueGreen'),
      { phase: 'Healthy' },
      'status.phase',
      'blueGreenStatus.nextStepIndex to jump',
    ],
    [
      'the step, at the top',
      rollout(),
      { currentStepIndex: 3 },
      'status.currentStepIndex',
      "Sluice's controller alone",
    ],
    ['the step', rollout(), { canaryStatus: { currentStepIndex: 3 } }, 'status.canaryStatus.currentStepIndex', 'alone'],
    ['the outcome', rollout(), { release: { outcome: 'Success' } }, 'status.release.outcome', 'alone'],
    ['a condition', rollout(), { conditions: [] }, 'status.conditions', 'alone'],
    ['a status taken away', rollout(), { canaryStatus: null }, 'status.canaryStatus', 'alone'],
  ])('%s', (_, stored, status, field, message) => {
    const violations = write(stored, status);
    expect(violations.map(({ path }) => fieldPath(path))).toEqual([field]);
    expect(violations[0]?.message).toContain(message);
  });

  test('everything at once, and the hint only once', () => {
    const violations = write(rollout(), {
      phase: 'Healthy',
      message: 'x',
      canaryStatus: { nextStepIndex: 9, message: 'y' },
    });
    expect(violations.map(({ path }) => fieldPath(path)).sort()).toEqual([
      'status.canaryStatus.message',
      'status.canaryStatus.nextStepIndex',
      'status.message',
      'status.phase',
    ]);
    expect(violations.filter(({ message }) => message.includes('to approve'))).toHaveLength(1);
  });

  test('the whole status at once', () => {
    const stored = rollout();
    const { status: _, ...without } = stored;
    expect(statusViolations(without, stored, LATER).map(({ path }) => fieldPath(path))).toEqual(['status']);
    expect(statusViolations(stored, without, LATER).map(({ path }) => fieldPath(path))).toEqual(['status']);
  });

  test('another spec', () => {
    const stored = rollout();
    const incoming = changed(stored, { 'spec.disabled': true });
    expect(statusViolations(incoming, stored, LATER).map(({ path }) => fieldPath(path))).toEqual(['spec.disabled']);
  });
});

describe('an approval just after its step has paused', () => {
  const FIELD = ['status.canaryStatus.currentStepState'];

  test.each<[string, number, string[]]>([
    ['at once', 0, FIELD],
    ['within two seconds', 1_999, FIELD],
    ['by a clock that is behind', -500, FIELD],
    ['after two seconds', 2_000, []],
  ])('may be meant for the step before, and is refused: %s', (_, milliseconds, refused) => {
    expect(fields(rollout(), APPROVAL, at(milliseconds))).toEqual(refused);
  });

  test('says how to go on', () => {
    expect(write(rollout(), APPROVAL, at(0))[0]?.message).toContain(
      'look at step 2 and approve it again, or name it, as kubectl sluice approve does: status.release.approvedStep: 2',
    );
  });

  test('is taken if it names the step', () => {
    expect(fields(rollout(), { ...APPROVAL, release: { approvedStep: 2 } }, at(0))).toEqual([]);
  });

  test('is not taken for another step than it names', () => {
    const asked = { ...APPROVAL, release: { approvedStep: 1 } };
    expect(fields(rollout(), asked, at(0))).toEqual(['status.release.approvedStep']);
  });

  test('names no step by the number that an earlier approval has left', () => {
    const stored = rollout({ release: { ...RELEASE, approvedStep: 2 } });
    expect(fields(stored, { ...APPROVAL, release: { approvedStep: 2 } }, at(0))).toEqual(FIELD);
    expect(fields(stored, { ...APPROVAL, release: { approvedStep: 2 } }, at(2_000))).toEqual([]);
  });

  test.each(['', 'yesterday'])('is taken where nobody knows when the step has paused: %j', (lastUpdateTime) => {
    expect(fields(rollout({}, { lastUpdateTime }), APPROVAL, at(0))).toEqual([]);
  });
});

test('no write of others changes anything but the fields of the requests, whatever it holds', () => {
  const key = fc.constantFrom('phase', 'canaryStatus', 'blueGreenStatus', 'release', 'conditions', 'message', 'other');
  const inner = fc.constantFrom(
    'currentStepState',
    'nextStepIndex',
    'currentStepIndex',
    'request',
    'approvedStep',
    'outcome',
  );
  const scalar = fc.constantFrom<Json>('StepReady', 'Completed', 1, 2, 3, '', 'promote', 'abort', null, true);
  const part = fc.oneof(scalar, fc.dictionary(inner, scalar));
  fc.assert(
    fc.property(fc.dictionary(key, part), (status) => {
      const stored = rollout();
      const incoming = patched(stored, { status }) as JsonMap;
      if (statusViolations(incoming, stored, LATER).length > 0) return;
      const change = mergePatch(stored['status'] as JsonMap, incoming['status'] as JsonMap) ?? {};
      const { canaryStatus = {}, release = {}, ...rest } = change;
      expect(rest).toEqual({});
      const { currentStepState = 'StepReady', nextStepIndex = 1, ...sub } = canaryStatus as JsonMap;
      expect([currentStepState, [1, 2, 3].includes(nextStepIndex as number), sub]).toEqual(['StepReady', true, {}]);
      const { request = '', approvedStep = 2, ...others } = release as JsonMap;
      expect([['', 'promote', 'abort', 'retry'].includes(request as string), approvedStep, others]).toEqual([
        true,
        2,
        {},
      ]);
    }),
    { numRuns: 2_000 },
  );
});
