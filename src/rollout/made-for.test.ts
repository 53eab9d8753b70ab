import { expect, test } from 'vitest';
import type { JsonMap } from '../json/value.ts';
import { madeFor, ownMarks, workloadLabel } from './made-for.ts';

const ROLLOUT = { namespace: 'shop', name: `long-${'x'.repeat(70)}`, uid: 'uid' };
const KEY = `shop/${ROLLOUT.name}`;
const CANARY_OF = { 'rollouts.kruise.io/canary-deployment': 'web' };

function metadata(kind: string, change: JsonMap = {}, labels: JsonMap = {}): JsonMap {
  const own = ownMarks(ROLLOUT, kind, 'web-canary');
  return { namespace: 'shop', name: 'web-canary', ...own, labels: { ...own.labels, ...labels }, ...change };
}

test.each<[string, string, JsonMap, string | undefined]>([
  ['a Service of ours, by the full name of its Rollout', 'Service', metadata('Service'), KEY],
  ['an Ingress of ours', 'Ingress', metadata('Ingress'), KEY],
  ['a Deployment of ours', 'Deployment', metadata('Deployment', {}, CANARY_OF), KEY],
  ['the label without the annotation', 'Service', metadata('Service', { annotations: {} }), undefined],
  ['a copy with another name', 'Service', metadata('Service', { name: 'mine-canary' }), undefined],
  ['a copy in another namespace', 'Service', metadata('Service', { namespace: 'bank' }), undefined],
  ['the metadata of another kind', 'Ingress', metadata('Service'), undefined],
  ['a Deployment that does not say whose canary it is', 'Deployment', metadata('Deployment'), undefined],
  [
    'a Deployment that says so of another one',
    'Deployment',
    metadata('Deployment', {}, { 'rollouts.kruise.io/canary-deployment': 'api' }),
    undefined,
  ],
  [
    'an annotation that is no JSON',
    'Service',
    metadata('Service', { annotations: { 'sluice.dev/made-for': 'web' } }),
    undefined,
  ],
  [
    'an annotation that says something else',
    'Service',
    metadata('Service', { annotations: { 'sluice.dev/made-for': '[1]' } }),
    undefined,
  ],
])('ours or theirs: %s', (_, kind, object, key) => {
  expect(madeFor(object, kind)).toBe(key);
});

test('a Deployment of ours is known where the name of its workload is too long for a label', () => {
  const workload = 'x'.repeat(64);
  const name = `${workload}-canary`;
  const { labels, annotations } = ownMarks(ROLLOUT, 'Deployment', name);
  const own = { 'rollouts.kruise.io/canary-deployment': workloadLabel(workload) };
  expect(own['rollouts.kruise.io/canary-deployment']).toHaveLength(63);
  expect(madeFor({ namespace: 'shop', name, annotations, labels: { ...labels, ...own } }, 'Deployment')).toBe(KEY);
});

test('the label holds a value that API servers take', () => {
  const [value] = Object.values(ownMarks(ROLLOUT, 'Service', 'web-canary').labels);
  expect(value).toMatch(/^[a-z0-9][-a-z0-9.]{0,61}[a-z0-9]$/);
});
