import { describe, expect, test } from 'vitest';
import type { JsonMap } from '../../src/json/value.ts';
import { mapAt, nameAndNamespace, timestamp, withMetadata } from './fields.ts';
import { templateOf } from './plane.ts';
import { isReady, podOf, runningPod, syncReplicaSet } from './replica-set.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const SECOND = 1000;

function setOf(replicas: number, spec: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { namespace: 'shop', name: 'web-1', uid: 'set', generation: 3 },
    spec: { replicas, template: templateOf('v1'), ...spec },
  };
}

type Life = { readonly age?: number; readonly readyFor?: number; readonly cost?: string };

/** A pod of the set; `readyFor` in seconds, and not ready without. */
function pod(name: string, { age = 100, readyFor, cost }: Life): JsonMap {
  const made = withMetadata(podOf(setOf(1), name, NOW - age * SECOND), {
    uid: name,
    ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
  });
  const since = NOW - (readyFor ?? 0) * SECOND;
  return runningPod(made, '10.0.0.1', readyFor === undefined ? 'False' : 'True', since);
}

const names = (pods: readonly JsonMap[]) => pods.map((each) => nameAndNamespace(each).name);

describe('a ReplicaSet', () => {
  test('makes the pods that are missing, and counts those that it found', () => {
    const { create, status } = syncReplicaSet(setOf(3), [pod('a', { readyFor: 1 })], NOW);
    expect(create).toBe(2);
    expect(status).toEqual({
      replicas: 1,
      fullyLabeledReplicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
      terminatingReplicas: 0,
      observedGeneration: 3,
    });
  });

  test.each<[string, JsonMap[], string]>([
    ['pods that are not ready', [pod('a', { readyFor: 9 }), pod('b', {}), pod('c', { readyFor: 1 })], 'b'],
    ['pods that do not run yet', [pod('a', {}), podOf(setOf(1), 'b', NOW - 999 * SECOND)], 'b'],
    ['cheap pods', [pod('a', { readyFor: 9 }), pod('b', { readyFor: 99, cost: '-1' })], 'b'],
    ['pods that are not ready before cheap ones', [pod('a', { readyFor: 9, cost: '-1' }), pod('b', {})], 'b'],
    ['pods that became ready last', [pod('a', { readyFor: 1 }), pod('b', { readyFor: 90 })], 'a'],
    ['new pods', [pod('a', { age: 900 }), pod('b', { age: 9 })], 'b'],
  ])('deletes %s first', (_title, pods, first) => {
    for (const order of [pods, pods.toReversed()]) {
      const { delete: gone } = syncReplicaSet(setOf(pods.length - 1), order, NOW);
      expect(names(gone)).toEqual([first]);
    }
  });

  test('counts a pod as available when it has been ready for minReadySeconds, and looks again then', () => {
    const pods = [pod('a', { readyFor: 30 }), pod('b', { readyFor: 12 }), pod('c', {})];
    const before = syncReplicaSet(setOf(3, { minReadySeconds: 20 }), pods, NOW);
    expect(before.status).toMatchObject({ readyReplicas: 2, availableReplicas: 1 });
    expect(before.checkAfter).toBe(8 * SECOND);
    const after = syncReplicaSet(setOf(3, { minReadySeconds: 20 }), pods, NOW + 8 * SECOND);
    expect(after.status).toMatchObject({ readyReplicas: 2, availableReplicas: 2 });
    expect(after.checkAfter).toBeUndefined();
  });

  test('counts pods that are being deleted apart, and replaces them', () => {
    const going = withMetadata(pod('a', { readyFor: 9 }), { deletionTimestamp: timestamp(NOW) });
    const { create, status } = syncReplicaSet(setOf(1), [going], NOW);
    expect(create).toBe(1);
    expect(status).toMatchObject({ replicas: 0, terminatingReplicas: 1 });
  });

  test('that is being deleted leaves its pods to the garbage collector', () => {
    const going = withMetadata(setOf(0), { deletionTimestamp: timestamp(NOW) });
    expect(syncReplicaSet(going, [pod('a', {})], NOW)).toMatchObject({ create: 0, delete: [] });
    expect(syncReplicaSet({ ...going, spec: { replicas: 2 } }, [], NOW)).toMatchObject({ create: 0, delete: [] });
  });

  test('that has nothing to write keeps the very same status', () => {
    const pods = [pod('a', { readyFor: 9 })];
    const set = { ...setOf(1), status: syncReplicaSet(setOf(1), pods, NOW).status };
    expect(syncReplicaSet(set, pods, NOW).status).toBe(mapAt(set, 'status'));
  });
});

describe('a pod', () => {
  test('has the labels of its template and is controlled by its set', () => {
    expect(podOf(setOf(1), 'web-1-x', NOW)).toMatchObject({
      metadata: { namespace: 'shop', labels: { app: 'web' }, ownerReferences: [{ uid: 'set', controller: true }] },
      spec: templateOf('v1')['spec'],
      status: { phase: 'Pending' },
    });
  });

  test('keeps the time since which it is ready', () => {
    const ready = pod('a', { readyFor: 60 });
    expect(runningPod(ready, '10.0.0.1', 'True', NOW)).toEqual(ready);
    expect(isReady(runningPod(ready, '10.0.0.1', 'False', NOW))).toBe(false);
  });
});
