import { expect, test } from 'vitest';
import type { JsonMap } from '../json/value.ts';
import type { PodMetadata } from '../rollout/pod-metadata.ts';
import type { OwnedName } from './inventory.ts';
import { podHandler } from './pod.ts';
import type { AdmissionRequest } from './request.ts';

const SET = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'set', controller: true };
const GIVEN: PodMetadata = {
  labels: { 'rollouts.kruise.io/rollout-id': '5', 'istio.service.tag': 'gray' },
  annotations: { note: 'b' },
};

function pod(metadata: JsonMap = {}): JsonMap {
  const labels = { app: 'web', 'pod-template-hash': '1', 'istio.service.tag': 'base' };
  return { kind: 'Pod', metadata: { generateName: 'web-1-', labels, ownerReferences: [SET], ...metadata }, spec: {} };
}

/** Judges a pod where only the set {@link SET} of namespace `shop` is known. */
async function judge(change: Partial<AdmissionRequest> = {}) {
  const asked: OwnedName[] = [];
  const handle = podHandler({
    podMetadata(owner) {
      asked.push(owner);
      return owner.namespace === 'shop' && owner.name === 'web-1' && owner.uid === 'set' ? GIVEN : undefined;
    },
  });
  const answer = await handle({
    uid: 'u',
    operation: 'CREATE',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    subresource: '',
    name: '',
    namespace: 'shop',
    dryRun: false,
    user: { name: 'system:serviceaccount:kube-system:replicaset-controller', groups: [] },
    fieldManager: 'kube-controller-manager',
    object: pod(),
    oldObject: undefined,
    bytes: 100,
    receivedAt: 0,
    ...change,
  });
  return { answer, asked };
}

test('a pod of a ReplicaSet in a release gets what the release gives it, beside what its template says', async () => {
  const { answer, asked } = await judge();
  const labels = { app: 'web', 'pod-template-hash': '1', ...GIVEN.labels };
  expect(answer).toMatchObject({
    verdict: 'patched',
    warnings: [],
    operations: [
      { op: 'replace', path: '/metadata/labels', value: labels },
      { op: 'add', path: '/metadata/annotations', value: GIVEN.annotations },
    ],
  });
  expect(asked).toEqual([{ namespace: 'shop', name: 'web-1', uid: 'set' }]);
});

test('a pod that has it all, as in a second pass, is let through as it is', async () => {
  const { answer } = await judge({ object: pod({ ...GIVEN, name: 'web-1-a' }) });
  expect(answer).toMatchObject({ verdict: 'allowed' });
});

test('what another webhook has put on the pod before stays', async () => {
  const { answer } = await judge({ object: pod({ annotations: { 'sidecar.istio.io/status': '{}' } }) });
  const annotations = { 'sidecar.istio.io/status': '{}', note: 'b' };
  expect(answer).toMatchObject({
    operations: [expect.anything(), { op: 'replace', path: '/metadata/annotations', value: annotations }],
  });
});

test.each<[string, Partial<AdmissionRequest>]>([
  ['of a set that takes part in no release', { object: pod({ ownerReferences: [{ ...SET, uid: 'other' }] }) }],
  ['of another namespace', { namespace: 'other' }],
  ['that nobody owns', { object: pod({ ownerReferences: [] }) }],
  ['that a set only holds', { object: pod({ ownerReferences: [{ ...SET, controller: false }] }) }],
  ['of a kind of another group', { object: pod({ ownerReferences: [{ ...SET, apiVersion: 'example.com/v1' }] }) }],
  ['of a Job', { object: pod({ ownerReferences: [{ ...SET, kind: 'Job' }] }) }],
  ['without metadata', { object: { metadata: null } }],
  ['that is there already', { operation: 'UPDATE', oldObject: pod() }],
  ['whose status is written', { subresource: 'status' }],
])('a pod %s is let through as it is', async (_, change) => {
  expect((await judge(change)).answer).toMatchObject({ verdict: 'allowed', warnings: [] });
});
