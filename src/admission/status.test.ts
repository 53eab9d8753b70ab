import { expect, test } from 'vitest';
import type { JsonMap } from '../json/value.ts';
import type { AdmissionRequest } from './request.ts';
import { statusHandler } from './status.ts';

const ORIGINAL = 'rollouts.kruise.io/original-spec-configuration';
const DIRECTIVE = 'directive.sluice.dev/web';

function request(sent: JsonMap | undefined, stored: JsonMap | undefined): AdmissionRequest {
  const objectWith = (annotations: JsonMap | undefined): JsonMap => ({
    metadata: { name: 'web', ...(annotations === undefined ? {} : { annotations }) },
    status: {},
  });
  return {
    uid: 'u',
    operation: 'UPDATE',
    kind: { group: 'networking.k8s.io', version: 'v1', kind: 'Ingress' },
    resource: { group: 'networking.k8s.io', version: 'v1', resource: 'ingresses' },
    subresource: 'status',
    name: 'web',
    namespace: 'shop',
    dryRun: false,
    user: { name: 'mallory', groups: [] },
    fieldManager: undefined,
    object: objectWith(sent),
    oldObject: objectWith(stored),
    bytes: 100,
    receivedAt: 0,
  };
}

const path = '/metadata/annotations';

test.each<[string, JsonMap | undefined, JsonMap | undefined, object]>([
  ['added', { a: '1', [DIRECTIVE]: 'forged' }, { a: '1' }, { op: 'replace', path, value: { a: '1' } }],
  ['added as the only ones', { [DIRECTIVE]: 'forged' }, undefined, { op: 'remove', path }],
  ['changed', { [ORIGINAL]: 'forged' }, { [ORIGINAL]: 'o' }, { op: 'replace', path, value: { [ORIGINAL]: 'o' } }],
  ['removed', { b: '2' }, { [DIRECTIVE]: 'd' }, { op: 'replace', path, value: { b: '2', [DIRECTIVE]: 'd' } }],
  ['removed with all others', undefined, { [DIRECTIVE]: 'd' }, { op: 'add', path, value: { [DIRECTIVE]: 'd' } }],
])(
  'annotations of ours that a status write changes are put back, and only they: %s',
  async (_how, sent, stored, op) => {
    const answer = await statusHandler(request(sent, stored));
    expect(answer).toMatchObject({ verdict: 'patched', operations: [op] });
    expect(answer.warnings).toHaveLength(1);
  },
);

test.each<[string, JsonMap | undefined, JsonMap | undefined]>([
  ['none', undefined, undefined],
  ["the user's", { a: '2' }, { a: '1' }],
  ['ours as they are', { [DIRECTIVE]: 'd', [ORIGINAL]: 'o', a: '2' }, { [DIRECTIVE]: 'd', [ORIGINAL]: 'o' }],
])('a status write that leaves our annotations alone passes: %s', async (_which, sent, stored) => {
  expect(await statusHandler(request(sent, stored))).toMatchObject({ verdict: 'allowed', warnings: [] });
});
