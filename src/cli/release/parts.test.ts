import { expect, test } from 'vitest';
import type { JsonMap } from '../../json/value.ts';
import { observedOf, type Part, partKey, partsOf, replicaSetsPart, type Sight } from './parts.ts';
import { atStepTwo, deployment, observed, progressing, rollout } from './release.testing.ts';

test.each<[string, JsonMap, string]>([
  ['labels', { matchLabels: { app: 'web', tier: 'front' } }, 'app=web,tier=front'],
  [
    'expressions',
    {
      matchExpressions: [
        { key: 'app', operator: 'In', values: ['web', 'api'] },
        { key: 'env', operator: 'NotIn', values: ['test'] },
        { key: 'tier', operator: 'Exists' },
        { key: 'old', operator: 'DoesNotExist' },
      ],
    },
    'app in (web,api),env notin (test),tier,!old',
  ],
  ['both', { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, 'app=web,tier'],
])('pods and ReplicaSets are found by the selector as queries have it: %s', (_, selector, labelSelector) => {
  expect(replicaSetsPart(deployment({ selector }))).toMatchObject({
    kind: 'ReplicaSet',
    namespace: 'shop',
    labelSelector,
  });
});

test('parts become known as those before them are read', () => {
  const sights = new Map<string, Sight>();
  const sightOf = (part: Part) => sights.get(partKey(part));
  const name = { namespace: 'shop', name: 'web' };
  const kinds = () => partsOf(name, sightOf).map(({ kind }) => kind);
  const see = (object: JsonMap) => {
    const { apiVersion, kind } = object as { apiVersion: string; kind: string };
    sights.set(partKey({ apiVersion, kind, ...name }), { state: 'seen', objects: [object] });
  };
  expect(kinds()).toEqual(['Rollout']);
  see(rollout(progressing()));
  expect(kinds()).toEqual(['Rollout', 'Deployment', 'Service', 'Service', 'VirtualService']);
  see(deployment());
  expect(kinds().slice(-2)).toEqual(['ReplicaSet', 'Pod']);
  expect(observedOf(name, sightOf)).toBe('unknown');
  see(rollout(progressing(), { enableExtraWorkloadForCanary: true, disableGenerateCanaryService: true }));
  expect(kinds()).toEqual(['Rollout', 'Deployment', 'Service', 'VirtualService', 'Deployment', 'ReplicaSet', 'Pod']);
});

test('a Rollout that is not there is gone, one that is not read yet unknown', () => {
  const name = { namespace: 'shop', name: 'web' };
  expect(observedOf(name, () => undefined)).toBe('unknown');
  expect(observedOf(name, () => ({ state: 'seen', objects: [] }))).toBe('gone');
});

test('a Service or gateway object that several fields name is one part', () => {
  const routing = { service: 'web', ingress: { name: 'web' } };
  const object = rollout(progressing(), { trafficRoutings: [routing, { ...routing, service: 'web' }] });
  const { network } = observed([object, ...atStepTwo().slice(1)]);
  expect(network.map(({ part, role }) => [part.kind, part.name, role])).toEqual([
    ['Service', 'web', 'stable'],
    ['Service', 'web-canary', 'canary'],
    ['Ingress', 'web', 'stable'],
    ['Ingress', 'web-canary', 'canary'],
  ]);
});
