import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { V1ALPHA1, V1BETA1 } from '../api/names.ts';
import { isMap, type Json, type JsonMap } from '../json/value.ts';
import { readManifests } from '../manifest/read.ts';
import type { Answer } from './answer.ts';
import { fixedInventory } from './inventory.ts';
import type { AdmissionRequest } from './request.ts';
import { rolloutHandler } from './rollout.ts';

function request(object: JsonMap | undefined, changes: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: 'u',
    operation: 'CREATE',
    kind: { group: 'rollouts.kruise.io', version: 'v1beta1', kind: 'Rollout' },
    resource: { group: 'rollouts.kruise.io', version: 'v1beta1', resource: 'rollouts' },
    subresource: '',
    name: 'web',
    namespace: 'shop',
    dryRun: false,
    user: { name: 'jane', groups: [] },
    fieldManager: 'kubectl',
    object,
    oldObject: undefined,
    bytes: 1000,
    receivedAt: 0,
    ...changes,
  };
}

function judge(asked: AdmissionRequest, others: readonly Json[] = []): Answer | Promise<Answer> {
  return rolloutHandler(fixedInventory([], others))(asked);
}

function rollout(step: JsonMap, name = 'web', more: JsonMap = {}): JsonMap {
  return {
    apiVersion: V1BETA1,
    kind: 'Rollout',
    metadata: { name, namespace: 'shop' },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      strategy: {
        canary: {
          steps: [step],
          trafficRoutings: [{ service: 'web', ingress: { name: 'web' } }],
        },
      },
      ...more,
    },
  };
}

const good = rollout({ replicas: '20%', traffic: '20%' });
const fields = (answer: Answer) => (answer.verdict === 'denied' ? answer.causes.map(({ field }) => field) : []);

test('a Rollout without a fault is allowed', async () => {
  expect(await judge(request(good))).toEqual({
    verdict: 'allowed',
    warnings: [],
    audit: {},
    about: { rollout: 'shop/web' },
  });
});

test('the Rollout of the article is allowed as it was written, with a warning for each deprecated field', async () => {
  const text = readFileSync(new URL('../../test/fixtures/seed-000/rollout.yaml', import.meta.url), 'utf8');
  const seed = readManifests(text, 'rollout.yaml').documents.map(({ value }) => value);
  const written = seed.filter(isMap).find(({ kind }) => kind === 'Rollout');
  const answer = await judge(request(written));
  expect(answer.verdict).toBe('allowed');
  expect(answer.warnings.join('\n')).toContain('networkRefs');
  expect(answer.warnings.join('\n')).toContain('createCanaryService');
});

test('everything that is wrong is told at once, in the message and as causes with the field', async () => {
  const wrong = rollout({
    replicas: '200%',
    traffic: '0%',
    matches: [{ headers: [{ name: 'a', value: '(', type: 'RegularExpression' }] }],
    colour: 'red',
  });
  const answer = await judge(request(wrong));
  expect(fields(answer)).toEqual(
    expect.arrayContaining([
      'spec.strategy.canary.steps[0].replicas',
      'spec.strategy.canary.steps[0].traffic',
      'spec.strategy.canary.steps[0].colour',
    ]),
  );
  const { message, causes } = answer.verdict === 'denied' ? answer : { message: '', causes: [] };
  for (const cause of causes) expect(message).toContain(`${cause.field}: ${cause.message}`);
});

test.each<[string, Json]>([
  ['null', null],
  ['text', 'x'],
  ['a list', [1]],
  ['a number', 7],
])(
  'a Rollout with every field wrong is refused, and nothing is told twice: every field is %s',
  async (_what, value) => {
    const { spec } = good;
    const strategy = { paused: value, canary: value, blueGreen: value };
    for (const object of [
      { ...good, spec: value },
      { ...good, spec: Object.fromEntries(Object.keys(isMap(spec) ? spec : {}).map((key) => [key, value])) },
      rollout({}, 'web', { strategy }),
      rollout({ replicas: value, traffic: value, matches: value, pause: value, mirror: value }),
    ]) {
      const answer = await judge(request(object));
      expect(answer.verdict).toBe('denied');
      const told = answer.verdict === 'denied' ? answer.causes.map((cause) => `${cause.field}: ${cause.message}`) : [];
      expect(new Set(told).size).toBe(told.length);
    }
  },
);

test('errors name the fields of the version that was written', async () => {
  const object: JsonMap = {
    apiVersion: V1ALPHA1,
    kind: 'Rollout',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      objectRef: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
      strategy: { canary: { steps: [{ weight: 120 }] } },
    },
  };
  expect(fields(await judge(request(object)))).toContain('spec.strategy.canary.steps[0].weight');
});

test('a second Rollout for the same workload is refused, by what the inventory knows of the namespace', async () => {
  const other = rollout({ replicas: '20%', traffic: '20%' }, 'other');
  const answer = await judge(request(good), [other, good]);
  expect(answer.verdict).toBe('denied');
  expect('message' in answer && answer.message).toContain('other');
  expect((await judge(request(good), [good])).verdict).toBe('allowed');
});

test('what a release stands on cannot be changed while it runs', async () => {
  const running: JsonMap = { ...good, status: { phase: 'Progressing' } };
  const moved = rollout({ replicas: '20%', traffic: '20%' }, 'web', {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'elsewhere' },
  });
  const answer = await judge(request(moved, { operation: 'UPDATE', oldObject: running }));
  expect(fields(answer)).toEqual(['spec.workloadRef']);
});

test.each<[string, Partial<AdmissionRequest>]>([
  ['its deletion', { operation: 'DELETE', object: undefined, oldObject: good }],
  ['its status', { operation: 'UPDATE', subresource: 'status', oldObject: good }],
  ['a finalizer that goes', { operation: 'UPDATE', oldObject: { ...rollout({ colour: 'red' }), kind: 'Rollout' } }],
])('a Rollout that is wrong already is not held up: %s', async (_what, changes) => {
  const wrong = rollout({ colour: 'red' });
  expect((await judge(request(wrong, changes))).verdict).toBe('allowed');
});

test('a fault that is added to an old one is told, the old one is not', async () => {
  const old = rollout({ replicas: '20%', traffic: '20%', colour: 'red' });
  const next = rollout({ replicas: '20%', traffic: '20%', colour: 'red', shape: 'round' });
  const answer = await judge(request(next, { operation: 'UPDATE', oldObject: old }));
  expect(fields(answer)).toEqual(['spec.strategy.canary.steps[0].shape']);
});

test('another kind that comes this way is let through', async () => {
  const object: JsonMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' } };
  const kind = { group: '', version: 'v1', kind: 'ConfigMap' };
  expect((await judge(request(object, { kind }))).verdict).toBe('allowed');
});
