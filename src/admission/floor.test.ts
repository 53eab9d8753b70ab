import { describe, expect, test } from 'vitest';
import { ANNOTATIONS } from '../api/names.ts';
import type { JsonMap } from '../json/value.ts';
import { floorHandler } from './floor.ts';
import type { AdmissionRequest } from './request.ts';

const CONTROLLER = 'system:serviceaccount:sluice-system:sluice-controller';
const FLOOR = { [ANNOTATIONS.floor]: '1/10' };
const wanted = (replicas: number) => ({ [ANNOTATIONS.desiredReplicas]: String(replicas) });

function set(replicas: number | undefined, annotations?: JsonMap, metadata: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web-1', namespace: 'shop', ...(annotations && { annotations }), ...metadata },
    spec: replicas === undefined ? {} : { replicas },
  };
}

function judge(object: JsonMap | undefined, oldObject: JsonMap | undefined, change: Partial<AdmissionRequest> = {}) {
  return floorHandler(CONTROLLER)({
    uid: 'u',
    operation: 'UPDATE',
    kind: { group: 'apps', version: 'v1', kind: 'ReplicaSet' },
    resource: { group: 'apps', version: 'v1', resource: 'replicasets' },
    subresource: '',
    name: 'web-1',
    namespace: 'shop',
    dryRun: false,
    user: { name: 'system:serviceaccount:kube-system:deployment-controller', groups: [] },
    fieldManager: 'kube-controller-manager',
    object,
    oldObject,
    bytes: 100,
    receivedAt: 0,
    ...change,
  });
}

describe('a set with a floor that would sink to no pod keeps one', () => {
  test.each<[string, JsonMap, JsonMap]>([
    ['scaled in proportion', set(0, { ...FLOOR, ...wanted(4) }), set(1, { ...FLOOR, ...wanted(10) })],
    ['from many', set(0, FLOOR), set(9, FLOOR)],
    ['whose annotation goes in the same write', set(0), set(1, FLOOR)],
    ['whose annotation comes in the same write', set(0, FLOOR), set(1)],
    ['that had no number, which means one', set(0, FLOOR), set(undefined, FLOOR)],
  ])('%s', async (_, object, oldObject) => {
    const answer = await judge(object, oldObject);
    expect(answer).toMatchObject({
      verdict: 'patched',
      operations: [{ op: 'replace', path: '/spec/replicas', value: 1 }],
      warnings: [expect.stringContaining('sluice.dev/floor')],
    });
  });
});

describe('nothing else is touched', () => {
  test.each<[string, JsonMap | undefined, JsonMap | undefined, Partial<AdmissionRequest>]>([
    ['a set without a floor', set(0, wanted(4)), set(1), {}],
    ['a set of which some stay', set(3, FLOOR), set(9, FLOOR), {}],
    ['a set that grows', set(9, FLOOR), set(3, FLOOR), {}],
    ['a set that has no pod already', set(0, { ...FLOOR, a: 'b' }), set(0, FLOOR), {}],
    ['a Deployment that wants no pod at all', set(0, { ...FLOOR, ...wanted(0) }), set(1, FLOOR), {}],
    ['a write of our controller', set(0, FLOOR), set(1, FLOOR), { user: { name: CONTROLLER, groups: [] } }],
    ['a set that goes', set(0, FLOOR, { deletionTimestamp: '2026-01-01T00:00:00Z' }), set(1, FLOOR), {}],
    ['a deletion', undefined, set(1, FLOOR), { operation: 'DELETE' }],
    ['a creation', set(0, FLOOR), undefined, { operation: 'CREATE' }],
    ['status', set(0, FLOOR), set(1, FLOOR), { subresource: 'status' }],
    ['an object of an unknown shape', { metadata: null, spec: [0] }, { spec: 'x' }, {}],
  ])('%s', async (_, object, oldObject, change) => {
    expect(await judge(object, oldObject, change)).toMatchObject({ verdict: 'allowed', warnings: [] });
  });
});
