import { describe, expect, test } from 'vitest';
import { ALPHA, BETA, blueGreen, type Changes, changed } from '../api/rollouts.testing.ts';
import type { Json } from '../json/value.ts';
import { decodeDirective } from '../rewrite/directive.ts';
import { armedNaming, releasingRollout } from './naming.ts';

const WEB = { namespace: 'shop', group: 'apps', kind: 'Deployment', name: 'web' };

function stored(name: string, changes: Changes = {}, from = BETA): Json {
  const metadata = { 'metadata.name': name, 'metadata.uid': `uid-${name}` };
  return changed(from, { ...metadata, 'metadata.creationTimestamp': '2026-01-02T00:00:00Z', ...changes });
}

const found = (...rollouts: Json[]) => releasingRollout(rollouts, WEB)?.metadata.name;

describe('the Rollout that releases a workload', () => {
  test.each<[string, Changes, typeof BETA]>([
    ['v1beta1', {}, BETA],
    ['v1alpha1', {}, ALPHA],
    ['another version of the workload', { 'spec.workloadRef.apiVersion': 'apps/v1beta1' }, BETA],
    ['with a status of a later version', { status: { currentStepIndex: 'one', later: true } }, BETA],
    ['with metadata that our schema does not know', { 'metadata.managedFields': [{ manager: 'kubectl' }] }, BETA],
    ['in the middle of a release', { status: { phase: 'Progressing' } }, BETA],
  ])('is the one that names it: %s', (_, changes, from) => {
    expect(found(stored('a', changes, from))).toBe('a');
  });

  test.each<[string, Changes]>([
    ['another name', { 'spec.workloadRef.name': 'api' }],
    ['another kind', { 'spec.workloadRef.kind': 'StatefulSet' }],
    ['another group', { 'spec.workloadRef.apiVersion': 'apps.kruise.io/v1' }],
    ['another namespace', { 'metadata.namespace': 'other' }],
    ['no workload', { 'spec.workloadRef': undefined }],
  ])('is never one of %s', (_, changes) => {
    expect(found(stored('a', changes))).toBeUndefined();
  });

  test.each<[string, Changes]>([
    ['is being deleted', { 'metadata.deletionTimestamp': '2026-01-03T00:00:00Z' }],
    ['is disabled', { 'spec.disabled': true }],
    ['breaks the schema', { 'spec.strategy.canary.steps': 'all' }],
    ['breaks a rule', { 'spec.strategy.canary.steps': [] }],
    ['has two strategies', { 'spec.strategy.blueGreen': { steps: [{ replicas: 1 }] } }],
    ['was never stored', { 'metadata.uid': undefined }],
  ])('is none that %s', (_, changes) => {
    expect(found(stored('a', changes))).toBeUndefined();
  });

  test('is the oldest of several; of the same second the first in the alphabet, whatever the order of the list', () => {
    const [a, b, c] = [stored('a'), stored('b'), stored('c', { 'metadata.creationTimestamp': '2026-01-01T00:00:00Z' })];
    expect([found(a, b, c), found(c, b, a), found(b, a)]).toEqual(['c', 'c', 'a']);
  });

  test('is a younger one where the oldest is being deleted or cannot be read, since that one has no workload', () => {
    const old = { 'metadata.creationTimestamp': '2026-01-01T00:00:00Z' };
    const deleting = stored('old', { ...old, 'metadata.deletionTimestamp': '2026-01-03T00:00:00Z' });
    const broken = stored('old', { ...old, 'spec.strategy.canary.steps': 'all' });
    expect([found(deleting, stored('young')), found(broken, stored('young'))]).toEqual(['young', 'young']);
  });

  test('is none where the oldest is disabled or breaks a rule: the controller would not release it for a younger one', () => {
    const old = { 'metadata.creationTimestamp': '2026-01-01T00:00:00Z' };
    const disabled = stored('old', { ...old, 'spec.disabled': true });
    const wrong = stored('old', { ...old, 'spec.strategy.canary.steps': [] });
    expect([found(disabled, stored('young')), found(wrong, stored('young'))]).toEqual([undefined, undefined]);
  });
});

test.each<[string, Changes, object]>([
  ['canary', {}, { type: 'armed', style: 'canary' }],
  [
    'blue-green, rolled back when it is deleted',
    {
      ...blueGreen({ steps: [{ replicas: '100%', traffic: '100%' }] }),
      'metadata.annotations': { 'sluice.dev/on-delete': 'rollback' },
    },
    { type: 'armed', style: 'blueGreen', onDelete: 'rollback' },
  ],
])('its armed directive names it and says what a release will be like: %s', (_, changes, action) => {
  const rollout = releasingRollout([stored('web', changes)], WEB);
  const [[key, text] = ['', '']] = rollout === undefined ? [] : armedNaming(rollout);
  expect(key).toBe('directive.sluice.dev/web');
  expect(decodeDirective(key, text)).toMatchObject({
    rollout: { namespace: 'shop', name: 'web', uid: 'uid-web' },
    action,
  });
});
