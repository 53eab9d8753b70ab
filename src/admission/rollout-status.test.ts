import { expect, test } from 'vitest';
import { BETA, changed } from '../api/rollouts.testing.ts';
import type { JsonMap } from '../json/value.ts';
import type { AdmissionRequest } from './request.ts';
import { rolloutStatusHandler } from './rollout-status.ts';

const CONTROLLER = 'system:serviceaccount:sluice-system:sluice-controller';
const PAUSED_AT = '2026-01-02T03:04:05.000Z';

const rollout = (state: string, phase = 'Progressing'): JsonMap =>
  changed(BETA, {
    status: {
      phase,
      canaryStatus: { currentStepIndex: 1, nextStepIndex: 2, currentStepState: state, lastUpdateTime: PAUSED_AT },
    },
  });

async function judge(object: JsonMap | undefined, change: Partial<AdmissionRequest> = {}) {
  return await rolloutStatusHandler(CONTROLLER)({
    uid: 'u',
    operation: 'UPDATE',
    kind: { group: 'rollouts.kruise.io', version: 'v1beta1', kind: 'Rollout' },
    resource: { group: 'rollouts.kruise.io', version: 'v1beta1', resource: 'rollouts' },
    subresource: 'status',
    name: 'web',
    namespace: 'shop',
    dryRun: false,
    user: { name: 'jane', groups: [] },
    fieldManager: 'kubectl-patch',
    object,
    oldObject: rollout('StepPaused'),
    bytes: 100,
    receivedAt: Date.parse(PAUSED_AT) + 60_000,
    ...change,
  });
}

test('a request of a client passes, and the log says of which Rollout', async () => {
  expect(await judge(rollout('StepReady'))).toMatchObject({ verdict: 'allowed', about: { rollout: 'shop/web' } });
});

test('anything else is refused with the field in a cause, where kubectl shows it', async () => {
  expect(await judge(rollout('StepPaused', 'Healthy'))).toMatchObject({
    verdict: 'denied',
    message: expect.stringMatching(/^Rollout: status\.phase: is written by Sluice's controller alone;/),
    causes: [{ field: 'status.phase', message: expect.stringContaining('to approve') }],
    about: { rollout: 'shop/web' },
  });
});

test('the time of the request decides whether a pause has only just begun', async () => {
  const asked = (receivedAt: number) => judge(rollout('StepReady'), { receivedAt });
  expect((await asked(Date.parse(PAUSED_AT) + 1_000)).verdict).toBe('denied');
  expect((await asked(Date.parse(PAUSED_AT) + 2_000)).verdict).toBe('allowed');
});

test.each<[string, JsonMap | undefined, Partial<AdmissionRequest>]>([
  ['our controller writes', rollout('Completed'), { user: { name: CONTROLLER, groups: [] } }],
  ['writes the Rollout itself', rollout('Completed'), { subresource: '' }],
  ['is a deletion', undefined, { operation: 'DELETE' }],
  ['is a creation', rollout('Completed'), { operation: 'CREATE', oldObject: undefined }],
  ['is of another kind', rollout('Completed'), { kind: { group: 'apps', version: 'v1', kind: 'Rollout' } }],
])('what %s is not judged here', async (_, object, change) => {
  expect(await judge(object, change)).toMatchObject({ verdict: 'allowed' });
});
