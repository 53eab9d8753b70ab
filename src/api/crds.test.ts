import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { at, isList, isMap, type Json, type JsonMap, member } from '../json/value.ts';
import { readManifests } from '../manifest/read.ts';

/**
 * What users' manifests, tools and dashboards rely on in the CRDs of `rollouts.kruise.io`, beside the schemas' own
 * tests: an edit of the files that changes one of these breaks someone.
 */
const read = (name: string): Json => {
  const file = new URL(`../../chart/files/crds/${name}.rollouts.kruise.io.yaml`, import.meta.url);
  const { documents, errors } = readManifests(readFileSync(file, 'utf8'), name);
  expect(errors).toEqual([]);
  return documents[0]?.value ?? null;
};
const rollouts = read('rollouts');
const trafficRoutings = read('trafficroutings');

const versionsOf = (crd: Json): Json[] => {
  const versions = at(crd, ['spec', 'versions']);
  return isList(versions) ? [...versions] : [];
};
const versionOf = (crd: Json, name: string): Json =>
  versionsOf(crd).find((version) => member(version, 'name') === name) ?? null;
const schemaOf = (crd: Json, version: string) => at(versionOf(crd, version), ['schema', 'openAPIV3Schema']) ?? null;

test.each([
  [
    'rollouts',
    rollouts,
    { kind: 'Rollout', listKind: 'RolloutList', plural: 'rollouts', singular: 'rollout' },
    ['v1alpha1 served', 'v1beta1 served stored'],
  ],
  [
    'trafficroutings',
    trafficRoutings,
    { kind: 'TrafficRouting', listKind: 'TrafficRoutingList', plural: 'trafficroutings', singular: 'trafficrouting' },
    ['v1alpha1 served stored'],
  ],
])('%s: names, scope and versions', (plural, crd, names, versions) => {
  expect(member(crd, 'metadata')).toEqual({ name: `${plural}.rollouts.kruise.io` });
  expect(member(crd, 'spec')).toMatchObject({ group: 'rollouts.kruise.io', scope: 'Namespaced', names });
  expect(Object.keys(member(member(crd, 'spec'), 'names') as JsonMap).sort()).toEqual(Object.keys(names).sort());
  const found = versionsOf(crd).map(
    (version) =>
      `${member(version, 'name')}${member(version, 'served') === true ? ' served' : ''}${member(version, 'storage') === true ? ' stored' : ''}`,
  );
  expect(found).toEqual(versions);
  for (const version of versionsOf(crd)) expect(member(version, 'subresources')).toEqual({ status: {} });
});

test.each<[string, Json, string, string[]]>([
  [
    'Rollout',
    rollouts,
    'v1beta1',
    [
      'STATUS string .status.phase',
      'CANARY_STEP integer .status.currentStepIndex',
      'CANARY_STATE string .status.currentStepState',
      'MESSAGE string .status.message',
      'AGE date .metadata.creationTimestamp',
    ],
  ],
  [
    'Rollout',
    rollouts,
    'v1alpha1',
    [
      'STATUS string .status.phase',
      'CANARY_STEP integer .status.canaryStatus.currentStepIndex',
      'CANARY_STATE string .status.canaryStatus.currentStepState',
      'MESSAGE string .status.message',
      'AGE date .metadata.creationTimestamp',
    ],
  ],
  [
    'TrafficRouting',
    trafficRoutings,
    'v1alpha1',
    ['STATUS string .status.phase', 'MESSAGE string .status.message', 'AGE date .metadata.creationTimestamp'],
  ],
])('printer columns of %s', (_kind, crd, version, columns) => {
  const found = member(versionOf(crd, version), 'additionalPrinterColumns');
  expect(
    isList(found)
      ? found.map((column) => `${member(column, 'name')} ${member(column, 'type')} ${member(column, 'jsonPath')}`)
      : found,
  ).toEqual(columns);
});

/** `path: fact` for every fact of some sorts, in a schema. */
function facts(schema: Json | undefined, keys: readonly string[], path = ''): string[] {
  if (!isMap(schema)) return [];
  const own = keys.flatMap((key) =>
    schema[key] === undefined ? [] : [`${path} ${key} ${JSON.stringify(schema[key])}`],
  );
  const properties = member(schema, 'properties');
  const inner = Object.entries(isMap(properties) ? properties : {}).flatMap(([name, part]) =>
    facts(part, keys, `${path}.${name}`),
  );
  return [...own, ...inner, ...facts(member(schema, 'items'), keys, `${path}[]`)];
}

const without = (lines: string[], ...parts: string[]) =>
  lines.filter((line) => !parts.some((part) => line.includes(part)));

test('defaults of Rollout v1beta1', () => {
  expect(without(facts(schemaOf(rollouts, 'v1beta1'), ['default']), '.blueGreen')).toEqual([
    '.spec.disabled default false',
    '.spec.strategy.canary.steps[].matches[].path.type default "PathPrefix"',
    '.spec.strategy.canary.steps[].matches[].path.value default "/"',
    '.spec.strategy.canary.steps[].matches[].headers[].type default "Exact"',
    '.spec.strategy.canary.steps[].matches[].queryParams[].type default "Exact"',
    '.spec.strategy.canary.steps[].matches[].cookies[].type default "Exact"',
    '.spec.strategy.canary.trafficRoutings[].gracePeriodSeconds default 3',
  ]);
});

test('limits of Rollout v1beta1, the same for blue-green', () => {
  const limits = facts(schemaOf(rollouts, 'v1beta1'), ['maxItems', 'maxLength', 'minLength', 'minimum', 'maximum']);
  const steps = (strategy: string) =>
    limits
      .filter((line) => line.includes(`.${strategy}.steps`))
      .map((line) => line.replace(`.spec.strategy.${strategy}.`, ''));
  expect(steps('canary')).toEqual(steps('blueGreen'));
  expect(without(steps('canary'), 'requestHeaderModifier')).toEqual([
    'steps maxItems 50',
    'steps[].matches maxItems 16',
    'steps[].matches[].path.value maxLength 1024',
    'steps[].matches[].headers maxItems 16',
    'steps[].matches[].headers[].name maxLength 256',
    'steps[].matches[].headers[].name minLength 1',
    'steps[].matches[].headers[].value maxLength 4096',
    'steps[].matches[].headers[].value minLength 1',
    'steps[].matches[].queryParams maxItems 16',
    'steps[].matches[].queryParams[].name maxLength 256',
    'steps[].matches[].queryParams[].name minLength 1',
    'steps[].matches[].queryParams[].value maxLength 1024',
    'steps[].matches[].queryParams[].value minLength 1',
    'steps[].matches[].cookies maxItems 16',
    'steps[].matches[].cookies[].name maxLength 256',
    'steps[].matches[].cookies[].name minLength 1',
    'steps[].matches[].cookies[].value maxLength 4096',
    'steps[].matches[].cookies[].value minLength 1',
    'steps[].matches[].expression maxLength 4096',
    'steps[].matches[].expression minLength 1',
    'steps[].mirror.percent minimum 1',
    'steps[].mirror.percent maximum 100',
  ]);
});

test('v1alpha1 has no limit on steps, matches and headers, as it never had', () => {
  expect(
    without(facts(schemaOf(rollouts, 'v1alpha1'), ['maxItems', 'x-kubernetes-list-type']), 'requestHeaderModifier'),
  ).toEqual([]);
});

test.each<[string, Json, string, string[]]>([
  [
    'Rollout',
    rollouts,
    'v1beta1',
    [
      '.spec required ["workloadRef","strategy"]',
      '.spec.workloadRef required ["apiVersion","kind","name"]',
      '.status required ["currentStepIndex","currentStepState"]',
      '.status.conditions[] required ["type","status","reason","message"]',
      '.status.canaryStatus required ["canaryReadyReplicas","canaryReplicas","canaryRevision","currentStepState","finalisingStep","nextStepIndex","podTemplateHash"]',
      '.status.blueGreenStatus required ["updatedReadyReplicas","updatedReplicas","updatedRevision","currentStepState","finalisingStep","nextStepIndex","podTemplateHash"]',
    ],
  ],
  [
    'Rollout',
    rollouts,
    'v1alpha1',
    [
      '.spec required ["objectRef","strategy"]',
      '.spec.objectRef.workloadRef required ["apiVersion","kind","name"]',
      '.status.conditions[] required ["type","status","reason","message"]',
      '.status.canaryStatus required ["canaryReadyReplicas","canaryReplicas","canaryRevision","currentStepState","finalisingStep","nextStepIndex","podTemplateHash"]',
    ],
  ],
  ['TrafficRouting', trafficRoutings, 'v1alpha1', ['.spec required ["objectRef","strategy"]']],
])('required fields of %s outside of steps and routings', (_kind, crd, version, expected) => {
  expect(without(facts(schemaOf(crd, version), ['required']), '.strategy.', '.objectRef[]')).toEqual(expected);
});

test('fields that are a number or a text', () => {
  expect(without(facts(schemaOf(rollouts, 'v1beta1'), ['x-kubernetes-int-or-string']), '.blueGreen')).toEqual([
    '.spec.strategy.canary.steps[].replicas x-kubernetes-int-or-string true',
    '.spec.strategy.canary.failureThreshold x-kubernetes-int-or-string true',
  ]);
});
