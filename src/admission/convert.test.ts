import { expect, test } from 'vitest';
import { V1ALPHA1, V1BETA1 } from '../api/names.ts';
import type { Json } from '../json/value.ts';
import { convertObjects } from './convert.ts';

const beta: Json = {
  apiVersion: V1BETA1,
  kind: 'Rollout',
  metadata: { name: 'web', namespace: 'shop', uid: 'a-uid', resourceVersion: '7', creationTimestamp: null },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { steps: [{ replicas: '20%', traffic: '20%', matches: [{ method: 'GET' }] }] } },
  },
};

test('both directions give back what was there, in the order of the request', async () => {
  const other: Json = { ...beta, metadata: { name: 'other' } };
  const down = await convertObjects({ uid: 'u', desiredApiVersion: V1ALPHA1, objects: [beta, other] });
  expect(down.verdict).toBe('converted');
  const objects = down.verdict === 'converted' ? down.objects : [];
  expect(objects).toMatchObject([
    { apiVersion: V1ALPHA1, metadata: { name: 'web', uid: 'a-uid' } },
    { apiVersion: V1ALPHA1, metadata: { name: 'other' } },
  ]);
  expect(await convertObjects({ uid: 'u', desiredApiVersion: V1BETA1, objects })).toEqual({
    verdict: 'converted',
    objects: [beta, other],
  });
});

test('an object that is in the desired version already is given back as it is', async () => {
  const answer = await convertObjects({ uid: 'u', desiredApiVersion: V1BETA1, objects: [beta] });
  expect(answer).toEqual({ verdict: 'converted', objects: [beta] });
});

test('a list of thousands lets other work in between', async () => {
  let turns = 0;
  let running = true;
  const count = () => {
    turns += 1;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  const objects = Array.from({ length: 1000 }, () => beta);
  const answer = await convertObjects({ uid: 'u', desiredApiVersion: V1ALPHA1, objects });
  running = false;
  expect(answer.verdict === 'converted' && answer.objects.length).toBe(1000);
  expect(turns).toBeGreaterThan(10);
});

test.each<[string, Json, string]>([
  ['null', null, 'objects[1]: is not an object'],
  ['a list', [], 'objects[1]: is not an object'],
  ['nothing', {}, 'objects[1]: has apiVersion null'],
  ['another group', { apiVersion: 'apps/v1', kind: 'Rollout' }, 'objects[1]: has apiVersion "apps/v1"'],
  [
    'another kind',
    { apiVersion: V1BETA1, kind: 'BatchRelease', metadata: { namespace: 'a', name: 'b' } },
    'objects[1] (a/b): is of kind "BatchRelease"',
  ],
])('an object that cannot be converted fails the request and is named: %s', async (_what, object, message) => {
  const answer = await convertObjects({ uid: 'u', desiredApiVersion: V1ALPHA1, objects: [beta, object] });
  expect(answer.verdict === 'failed' && answer.message).toContain(message);
});

test('every object that cannot be converted is named, up to a number that can be read', async () => {
  const objects = Array.from({ length: 13 }, () => null);
  const answer = await convertObjects({ uid: 'u', desiredApiVersion: V1ALPHA1, objects });
  const message = answer.verdict === 'failed' ? answer.message : '';
  expect(message.match(/objects\[/g)).toHaveLength(10);
  expect(message).toContain('and 3 more');
});

test('a version that does not exist is refused', async () => {
  const answer = await convertObjects({ uid: 'u', desiredApiVersion: 'rollouts.kruise.io/v2', objects: [beta] });
  expect(answer.verdict === 'failed' && answer.message).toContain('rollouts.kruise.io/v2');
});

test.each<[string, Json]>([
  ['no spec', { apiVersion: V1BETA1, kind: 'Rollout' }],
  ['a spec that is text', { apiVersion: V1BETA1, kind: 'Rollout', metadata: 'x', spec: 'x', status: [] }],
  ['null everywhere', { apiVersion: V1ALPHA1, kind: 'Rollout', metadata: null, spec: null, status: null }],
])('an object of odd shape is converted all the same: %s', async (_what, object) => {
  const to = (object as { apiVersion: string }).apiVersion === V1BETA1 ? V1ALPHA1 : V1BETA1;
  expect((await convertObjects({ uid: 'u', desiredApiVersion: to, objects: [object] })).verdict).toBe('converted');
});
