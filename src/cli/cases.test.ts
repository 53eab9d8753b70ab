import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { type CaseReport, runCases } from './cases.ts';
import { findScripts } from './script-folders.ts';

const shipped = fileURLToPath(new URL('../../lua-scripts', import.meta.url));
const reports = runCases(shipped);

test.each(reports.map((report) => [report.file, report] as const))('%s', (_file, { failures }) => {
  expect(failures).toEqual([]);
});

test.each([
  ['networking.istio.io/VirtualService', 8],
  ['networking.istio.io/DestinationRule', 4],
  ['gateway.networking.k8s.io/HTTPRoute', 8],
  ['ingress/nginx', 5],
  ['ingress/higress', 5],
  ['ingress/mse', 5],
  ['ingress/aliyun-alb', 5],
])('%s has at least %d cases', (script, least) => {
  expect(reports.filter((report) => report.script === script).length).toBeGreaterThanOrEqual(least);
});

let folder: string | undefined;
afterEach(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true });
  folder = undefined;
});

/** Writes a script library and runs its cases. */
function run(files: Readonly<Record<string, string>>): CaseReport[] {
  folder = mkdtempSync(join(tmpdir(), 'cases-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return runCases(folder);
}

const SCRIPT = 'example.com/Gate/trafficRouting.lua';
const CASE = 'example.com/Gate/testdata/one.yaml';
/** Writes the weight into the spec; fails at 99. */
const WEIGH = `
if obj.canaryWeight == 99 then error("too much", 0) end
obj.data.spec.weight = obj.canaryWeight
return obj.data`;

function gateCase(expected: string, steps = '[{traffic: 20%}, {traffic: 99%}, {replicas: 1}]', more = ''): string {
  return `
rollout:
  apiVersion: rollouts.kruise.io/v1beta1
  kind: Rollout
  metadata: {name: r, namespace: n}
  spec:
    strategy:
      canary:
        steps: ${steps}
        trafficRoutings:
        - service: s
          customNetworkRefs: [{apiVersion: example.com/v1, kind: Gate, name: g}]
original:
  apiVersion: example.com/v1
  kind: Gate
  metadata: {name: g, namespace: n, labels: {a: b}}
  spec: {empty: {}, list: [], n: 9007199254740993}
expected: ${expected}
${more}`;
}

const KEPT = '{metadata: {labels: {a: b}}, spec: {empty: {}, list: [], n: 9007199254740993';
const RIGHT = `[${KEPT}, weight: 20}}, {error: too much}, ${KEPT}}}]`;

test('a case passes when each step gives the object, the error or, without traffic and matches, the original', () => {
  expect(run({ [SCRIPT]: WEIGH, [CASE]: gateCase(RIGHT) })).toEqual([
    { script: 'example.com/Gate', file: expect.stringMatching(/one\.yaml$/), failures: [] },
  ]);
});

describe('a case fails', () => {
  test.each([
    [
      'for another value',
      `[${KEPT}, weight: 21}}, {error: too much}, ${KEPT}}}]`,
      /^step 1: [\s\S]*- {2}weight: 21\n\+ {2}weight: 20/,
    ],
    ['for a field more in the object', `[${KEPT}}}, {error: too much}, ${KEPT}}}]`, /^step 1: [\s\S]*\+ {2}weight: 20/],
    [
      'for a field less in the object',
      `[${KEPT}, weight: 20, x: 1}}, {error: too much}, ${KEPT}}}]`,
      /^step 1: [\s\S]*- {2}x: 1/,
    ],
    ['for {} where [] was expected', RIGHT.replace('empty: {}', 'empty: []'), /^step 1: [\s\S]*- {2}empty: \[\]/],
    [
      'for a label that is not expected',
      RIGHT.replace('metadata: {labels: {a: b}}, ', ''),
      /^step 1: [\s\S]*\+ {4}a: b/,
    ],
    [
      'for another error',
      RIGHT.replace('too much', 'too little'),
      /^step 2: it should fail with "too little", not with: .*too much/,
    ],
    [
      'for an error that does not come',
      RIGHT.replace(`${KEPT}, weight: 20}}`, '{error: no}'),
      /^step 1: it should fail with "no", but gives/,
    ],
    ['for an error that is not expected', RIGHT.replace('{error: too much}', `${KEPT}}}`), /^step 2: .*too much/],
    ['for too few expected objects', `[${KEPT}, weight: 20}}]`, /holds 1 objects for the 3 steps/],
    ['for too many expected objects', RIGHT.replace(/\]$/, `, ${KEPT}}}]`), /holds 4 objects for the 3 steps/],
    ['for expected that is no list', '{}', /expected is missing/],
    [
      'for an unknown key in an expected object',
      RIGHT.replace('too much}', 'too much, spec: {}}'),
      /:\d+:\d+: expected\.1\.spec is not read/,
    ],
    [
      'for an unknown key in its metadata',
      RIGHT.replace('{labels:', '{label: {}, labels:'),
      /:\d+:\d+: expected\.0\.metadata\.label is not read/,
    ],
  ])('%s', (_title, expected, failure) => {
    const [report] = run({ [SCRIPT]: WEIGH, [CASE]: gateCase(expected) });
    expect(report?.failures).toEqual([expect.stringMatching(failure)]);
  });

  test.each([
    ['for an unknown key', gateCase(RIGHT, undefined, 'expect: []'), /:\d+:\d+: expect is not read/],
    [
      'for an unknown field of its Rollout',
      gateCase(RIGHT, '[{trafic: 20%}, {traffic: 99%}, {replicas: 1}]'),
      /rollout\.spec\.strategy\.canary\.steps\[0\]\.trafic/,
    ],
    [
      'for a mistake in an expression',
      gateCase(RIGHT, '[{matches: [{expression: "path =="}]}, {traffic: 99%}, {replicas: 1}]'),
      /^step 1: matches\[0\]\.expression/,
    ],
    ['for a Rollout without a strategy', 'rollout: {spec: {}}\noriginal: {}\nexpected: []', /rollout\.spec\.strategy/],
    [
      'for another kind in the place of the Rollout',
      'rollout: {kind: Deployment}\noriginal: {}\nexpected: []',
      /:1:1: rollout is not a Rollout/,
    ],
    ['for an expected object that is none', gateCase('[1]'), /:\d+:\d+: expected\.0 is no object/],
    ['without a Rollout', 'original: {}\nexpected: []', /rollout is missing/],
    ['without an original', 'rollout: {spec: {strategy: {}}}\nexpected: []', /original is missing/],
    [
      'for a Rollout that names other objects',
      gateCase(RIGHT).replace('kind: Gate, name', 'kind: Door, name'),
      /name no object of example\.com\/Gate/,
    ],
    ['for broken YAML', 'rollout: {', /one\.yaml:\d+:\d+: /],
    ['for two documents', `${gateCase(RIGHT)}\n---\n${gateCase(RIGHT)}`, /holds 2 documents/],
  ])('%s', (_title, text, failure) => {
    const [report] = run({ [SCRIPT]: WEIGH, [CASE]: text });
    expect(report?.failures[0]).toMatch(failure);
  });
});

test.each([
  ['a folder without scripts', {}, /^no script here/],
  ['a script without cases', { [SCRIPT]: WEIGH }, /^has no cases/],
  [
    'a misspelt script',
    { [SCRIPT]: WEIGH, [CASE]: gateCase(RIGHT), 'example.com/Door/traficRouting.lua': WEIGH },
    /^is never run/,
  ],
  [
    'a misspelt case',
    { [SCRIPT]: WEIGH, [CASE]: gateCase(RIGHT), 'example.com/Gate/testdata/two.yamll': '' },
    /^is no case/,
  ],
  [
    'a case of no script',
    { [SCRIPT]: WEIGH, [CASE]: gateCase(RIGHT), 'ingress/testdata/nginx/a.yaml': gateCase(RIGHT) },
    /^is no case/,
  ],
])('%s is a failure', (_title, files, failure) => {
  const failed = run(files).filter(({ failures }) => failures.length > 0);
  expect(failed.map(({ failures }) => failures)).toEqual([[expect.stringMatching(failure)]]);
});

test('the layout of Kruise Rollouts and the folder of a single script are taken as well', () => {
  const files = {
    [SCRIPT]: WEIGH,
    [CASE]: gateCase(RIGHT),
    'trafficrouting_ingress/front.lua': 'return obj.annotations',
  };
  run(files);
  expect(findScripts(folder ?? '').scripts.map(({ script, cases }) => [script.name, cases.length])).toEqual([
    ['example.com/Gate', 1],
    ['ingress/front', 0],
  ]);
  expect(runCases(join(folder ?? '', 'example.com', 'Gate'))).toMatchObject([
    { script: 'example.com/Gate', failures: [] },
  ]);
});

test('the script of the worked example of Kruise Rollouts runs as it is printed', () => {
  const script = `
local spec = obj.data.spec
local canary = {}
canary.labels = {}
canary.name = "canary"
for k, v in pairs(obj.patchPodMetadata.labels) do
  canary.labels[k] = v
end
table.insert(spec.subsets, canary)
return obj.data`;
  const text = `
rollout:
  apiVersion: rollouts.kruise.io/v1alpha1
  kind: Rollout
  metadata: {name: r}
  spec:
    strategy:
      canary:
        steps: [{weight: 20}]
        trafficRoutings:
        - service: mocka
          createCanaryService: false
          networkRefs: [{apiVersion: networking.istio.io/v1alpha3, kind: DestinationRule, name: ds-demo}]
        patchPodTemplateMetadata:
          labels: {version: canary}
original:
  apiVersion: networking.istio.io/v1beta1
  kind: DestinationRule
  metadata: {name: ds-demo}
  spec: {host: mocka, subsets: [{labels: {version: base}, name: version-base}]}
expected:
- spec:
    host: mocka
    subsets: [{labels: {version: base}, name: version-base}, {labels: {version: canary}, name: canary}]`;
  const files = {
    'networking.istio.io/DestinationRule/trafficRouting.lua': script,
    'networking.istio.io/DestinationRule/testdata/a.yaml': text,
  };
  expect(run(files).map(({ failures }) => failures)).toEqual([[]]);
});
