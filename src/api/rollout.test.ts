import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { at, type Json } from '../json/value.ts';
import { readManifests } from '../manifest/read.ts';
import { alphaRollouts, betaRollouts, brokenRollouts } from './arbitrary.testing.ts';
import { convertRollout } from './conversion.ts';
import { V1ALPHA1, V1BETA1 } from './names.ts';
import { readRollout, type ValidationContext, validateRollout, violationsText } from './rollout.ts';
import { ALPHA, BETA, blueGreen, CANARY, type Changes, changed, routing, STEPS, text } from './rollouts.testing.ts';
import { validateSchema } from './validate.ts';

const seedText = readFileSync(new URL('../../test/fixtures/seed-000/rollout.yaml', import.meta.url), 'utf8');
const seed = readManifests(seedText, 'seed-000.yaml').documents[0]?.value ?? null;

test("the seed's Rollout is valid as written there, with warnings about its older names", () => {
  expect(validateSchema(seed)).toEqual([]);
  expect(validateRollout(seed)).toEqual({
    violations: [],
    warnings: [
      'spec.strategy.canary.trafficRoutings[0].networkRefs: is deprecated; write customNetworkRefs',
      'spec.strategy.canary.trafficRoutings[0].createCanaryService: is deprecated; write spec.strategy.canary.disableGenerateCanaryService: true',
    ],
  });
  const read = readRollout(seed);
  expect('rollout' in read && read.rollout.spec).toMatchObject({
    workloadRef: { name: 'nginx-deployment' },
    strategy: {
      canary: {
        enableExtraWorkloadForCanary: true,
        disableGenerateCanaryService: true,
        trafficRoutings: [{ gracePeriodSeconds: 3, customNetworkRefs: [{ name: 'nginx-vs' }, { name: 'nginx-dr' }] }],
      },
    },
  });
});

test.each<[string, Json]>([
  ['v1beta1', BETA],
  ['v1alpha1', ALPHA],
  ['v1beta1 made of v1alpha1', convertRollout(ALPHA, V1BETA1)],
  ['v1alpha1 made of v1beta1', convertRollout(BETA, V1ALPHA1)],
  ['blue-green', changed(BETA, blueGreen({}))],
  ['blue-green seen in v1alpha1', convertRollout(changed(BETA, blueGreen({})), V1ALPHA1)],
  [
    'a match that only v1beta1 has, seen in v1alpha1',
    convertRollout(changed(BETA, { [`${STEPS}.2.matches`]: [{ path: { value: '/a' } }] }), V1ALPHA1),
  ],
  [
    'a long Service without a canary Service',
    changed(BETA, {
      [`${CANARY}.trafficRoutings.0.service`]: 'a'.repeat(57),
      [`${CANARY}.disableGenerateCanaryService`]: true,
    }),
  ],
  ['a Service of 56 characters', changed(BETA, { [`${CANARY}.trafficRoutings.0.service`]: 'a'.repeat(56) })],
  [
    'several trafficRoutings',
    changed(BETA, { [`${CANARY}.trafficRoutings.1`]: { service: 'api', gateway: { httpRouteName: 'api' } } }),
  ],
  ['traffic together with matches', changed(BETA, { [`${STEPS}.2.traffic`]: '80%' })],
  [
    'copies without real traffic',
    changed(BETA, { [`${STEPS}.0.traffic`]: '0%', [`${STEPS}.0.mirror`]: { percent: 5 } }),
  ],
  ['more pods than the workload has now', changed(BETA, { [`${STEPS}.2.replicas`]: 1000 })],
  [
    'traffic steered by a TrafficRouting object',
    changed(BETA, {
      [`${CANARY}.trafficRoutings`]: undefined,
      'metadata.annotations': { 'rollouts.kruise.io/trafficrouting': 'tr' },
    }),
  ],
  [
    'an expression',
    changed(BETA, { [`${STEPS}.2.matches`]: [{ expression: 'header("x-userid") regex "^[0-9]+3$"' }] }),
  ],
])('valid: %s', (_title, object) => {
  expect(validateSchema(object)).toEqual([]);
  expect(text(object)).toBe('');
});

test.each<[string, Changes, string | RegExp]>([
  [
    'the workload is named',
    { 'spec.workloadRef': undefined },
    'spec.workloadRef: is missing; write apiVersion, kind and name of the workload that is released',
  ],
  [
    'the workload is of a kind that can be released',
    { 'spec.workloadRef.kind': 'Job', 'spec.workloadRef.apiVersion': 'batch/v1' },
    /^spec\.workloadRef: batch\/Job cannot be released; write one of apps\/Deployment/,
  ],
  [
    'blue-green is for Deployments and CloneSets',
    { ...blueGreen({}), 'spec.workloadRef.kind': 'StatefulSet' },
    /^spec\.workloadRef: apps\/StatefulSet has no blue-green release/,
  ],
  [
    'a strategy is given',
    { 'spec.strategy': {} },
    'spec.strategy: has neither canary nor blueGreen; write one of them, with steps',
  ],
  [
    'not two strategies',
    { 'spec.strategy.blueGreen': {} },
    'spec.strategy: has both canary and blueGreen; keep one of them',
  ],
  [
    'at least one step',
    { [STEPS]: [] },
    'spec.strategy.canary.steps: a release needs at least one step; write one with replicas',
  ],
  [
    'each step has replicas',
    { [`${STEPS}.1.replicas`]: undefined },
    'spec.strategy.canary.steps[1].replicas: is missing; write how many pods get the new version, 3 or "20%"',
  ],
  [
    'replicas is a number or a percentage',
    { [`${STEPS}.0.replicas`]: 'abc' },
    'spec.strategy.canary.steps[0].replicas: "abc" is not a number of pods or a percentage; write 3 or "20%"',
  ],
  ['replicas has no fraction', { [`${STEPS}.0.replicas`]: '2.5%' }, /steps\[0\]\.replicas: "2\.5%" is not a number/],
  [
    'replicas is positive',
    { [`${STEPS}.0.replicas`]: 0 },
    'spec.strategy.canary.steps[0].replicas: 0 is not positive; write at least 1 or "1%"',
  ],
  [
    'a percentage is at most 100',
    { [`${STEPS}.1.replicas`]: '101%' },
    'spec.strategy.canary.steps[1].replicas: "101%" is more than all pods; write at most "100%"',
  ],
  [
    'a partition step above the limit steers no traffic',
    { [`${CANARY}.enableExtraWorkloadForCanary`]: false },
    /^spec\.strategy\.canary\.steps\[1\]\.replicas: "60%" is too much: above 50% /,
  ],
  [
    'a workload that is no Deployment is partitioned whatever is asked',
    { 'spec.workloadRef.kind': 'StatefulSet' },
    /steps\[1\]\.replicas: "60%" is too much/,
  ],
  [
    'traffic is a percentage',
    { [`${STEPS}.0.traffic`]: '20' },
    'spec.strategy.canary.steps[0].traffic: "20" is no share of traffic; write a percentage from "1%" to "100%"',
  ],
  ['traffic is at least 1 % with canary', { [`${STEPS}.0.traffic`]: '0%' }, /steps\[0\]\.traffic: "0%" is no share/],
  ['traffic is at most 100 %', { [`${STEPS}.1.traffic`]: '101%' }, /steps\[1\]\.traffic: "101%" is no share/],
  [
    'replicas of the same unit do not fall',
    { [`${STEPS}.1.replicas`]: '10%' },
    'spec.strategy.canary.steps[1].replicas: 10% are fewer than the 20% of the step before; write at least as many',
  ],
  [
    'gracePeriodSeconds is not negative',
    { [`${CANARY}.trafficRoutings.0.gracePeriodSeconds`]: -1 },
    'spec.strategy.canary.trafficRoutings[0].gracePeriodSeconds: -1 seconds cannot be waited; write 0 or more',
  ],
  [
    'a routing names its Service',
    { [`${CANARY}.trafficRoutings.0.service`]: '' },
    'spec.strategy.canary.trafficRoutings[0].service: is missing or empty; write the name of the stable Service',
  ],
  [
    'a stable Service has room for the name of its canary Service',
    { [`${CANARY}.trafficRoutings.0.service`]: 'a'.repeat(57) },
    'spec.strategy.canary.trafficRoutings[0].service: is too long by 1 for its canary Service <name>-canary; name a Service of at most 56 characters, or set disableGenerateCanaryService',
  ],
  [
    'a routing names an object',
    { [`${CANARY}.trafficRoutings.0.ingress`]: undefined },
    'spec.strategy.canary.trafficRoutings[0]: names nothing that carries the traffic; write ingress, gateway or customNetworkRefs',
  ],
  [
    'the Ingress has a name',
    { [`${CANARY}.trafficRoutings.0.ingress.name`]: '' },
    'spec.strategy.canary.trafficRoutings[0].ingress.name: is missing or empty; write the name of the Ingress',
  ],
  [
    'the HTTPRoute has a name',
    { [`${CANARY}.trafficRoutings.0.gateway`]: {} },
    'spec.strategy.canary.trafficRoutings[0].gateway.httpRouteName: is missing or empty; write the name of the HTTPRoute',
  ],
  [
    'a custom reference is whole',
    { [`${CANARY}.trafficRoutings.0.customNetworkRefs`]: [{ apiVersion: 'a.example.com/v1', kind: '', name: 'x' }] },
    /customNetworkRefs\[0\]\.kind: is missing or empty/,
  ],
  ...[
    ['v1', 'Secret'],
    ['apps/v1', 'Deployment'],
    ['batch/v1', 'Job'],
    ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
    ['admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration'],
    ['metrics.k8s.io/v1beta1', 'PodMetrics'],
    ['rollouts.kruise.io/v1beta1', 'Rollout'],
  ].map(([apiVersion = '', kind = '']): [string, Changes, RegExp] => [
    `${kind} of ${apiVersion} carries no traffic`,
    { [`${CANARY}.trafficRoutings.0.customNetworkRefs`]: [{ apiVersion, kind, name: 'x' }] },
    new RegExp(`customNetworkRefs\\[0\\]\\.apiVersion: ${kind} cannot carry traffic here: .*; name a gateway object`),
  ]),
  [
    'a Service takes part once',
    { [`${CANARY}.trafficRoutings.1`]: { service: 'web', gateway: { httpRouteName: 'r' } } },
    'spec.strategy.canary.trafficRoutings[1].service: Service web is named by spec.strategy.canary.trafficRoutings[0].service already; name it once',
  ],
  [
    'an object takes part once',
    { [`${CANARY}.trafficRoutings.1`]: { service: 'api', ingress: { name: 'web' } } },
    /trafficRoutings\[1\]\.ingress\.name: Ingress\.networking\.k8s\.io web is named/,
  ],
  [
    'an object takes part once, whatever way it is named',
    {
      [`${CANARY}.trafficRoutings.0.customNetworkRefs`]: [
        { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'web' },
      ],
    },
    /customNetworkRefs\[0\]: Ingress\.networking\.k8s\.io web is named/,
  ],
  [
    'matches need trafficRoutings',
    { [`${CANARY}.trafficRoutings`]: undefined },
    /^spec\.strategy\.canary\.steps\[2\]\.matches: needs spec\.strategy\.canary\.trafficRoutings/,
  ],
  [
    'traffic needs trafficRoutings',
    { [`${CANARY}.trafficRoutings`]: [], [STEPS]: [{ traffic: '10%', replicas: 1 }] },
    /^spec\.strategy\.canary\.steps\[0\]\.traffic: needs spec\.strategy\.canary\.trafficRoutings/,
  ],
  [
    'a match has a condition',
    { [`${STEPS}.2.matches`]: [{}] },
    /^spec\.strategy\.canary\.steps\[2\]\.matches\[0\]: has no condition and would take every request/,
  ],
  [
    'expressions are regular as RE2 has them',
    { [`${STEPS}.2.matches`]: [{ headers: [{ name: 'v', type: 'RegularExpression', value: '(?=a)' }] }] },
    /^spec\.strategy\.canary\.steps\[2\]\.matches\[0\]\.headers\[0\]\.value: "\(\?=a\)" is no regular expression: /,
  ],
  [
    'so are those of paths',
    { [`${STEPS}.2.matches`]: [{ path: { type: 'RegularExpression', value: '/(a' } }] },
    /matches\[0\]\.path\.value: "\/\(a" is no regular expression: missing closing \)/,
  ],
  [
    'cookies too',
    { [`${STEPS}.2.matches`]: [{ cookies: [{ name: 'c', type: 'RegularExpression', value: '\\1' }] }] },
    /cookies\[0\]\.value: /,
  ],
  [
    'values have no control characters',
    { [`${STEPS}.2.matches`]: [{ headers: [{ name: 'v', value: 'a\nproxy_pass x;' }] }] },
    /headers\[0\]\.value: has a control character/,
  ],
  [
    'two conditions on one header in two spellings',
    {
      [`${STEPS}.2.matches`]: [
        {
          headers: [
            { name: 'v', value: 'a' },
            { name: 'V', value: 'b' },
          ],
        },
      ],
    },
    /matches\[0\]: no request can meet this: header\("v"\) cannot be both "a" and "b"/,
  ],
  [
    'a mistake in an expression has its column',
    { [`${STEPS}.2.matches`]: [{ expression: 'path = "/a"' }] },
    /^spec\.strategy\.canary\.steps\[2\]\.matches\[0\]\.expression: column 6: write == to compare\n {2}path = "\/a"\n {7}\^$/,
  ],
  [
    'an expression and the fields beside it can hold together',
    { [`${STEPS}.2.matches`]: [{ method: 'GET', expression: 'method == "PUT"' }] },
    /expression: no request can meet this: method cannot be both "GET" and "PUT"/,
  ],
  [
    'at most 64 alternatives',
    {
      [`${STEPS}.2.matches`]: [
        { expression: `header("a") in (${Array.from({ length: 65 }, (_, i) => `"${i}"`).join(',')})` },
      ],
    },
    /^spec\.strategy\.canary\.steps\[2\]\.matches: makes 65 alternatives/,
  ],
  [
    'copies need traffic or matches',
    { [`${STEPS}.0.traffic`]: undefined, [`${STEPS}.0.mirror`]: { percent: 5 } },
    /^spec\.strategy\.canary\.steps\[0\]\.mirror: has no effect without traffic or matches; write traffic: "0%"/,
  ],
  [
    'a pause is not negative',
    { [`${STEPS}.0.pause`]: { duration: -1 } },
    /^spec\.strategy\.canary\.steps\[0\]\.pause\.duration: -1 seconds/,
  ],
  [
    'failureThreshold is a number or a percentage',
    { [`${CANARY}.failureThreshold`]: '110%' },
    /^spec\.strategy\.canary\.failureThreshold: "110%" is not a number/,
  ],
  [
    'on-delete is one of three words',
    { 'metadata.annotations': { 'sluice.dev/on-delete': 'keep' } },
    'metadata.annotations[sluice.dev/on-delete]: "keep" is not known; write hold, rollback or complete',
  ],
])('v1beta1 is refused unless %s', (_title, changes, expected) => {
  const found = text(changed(BETA, changes));
  if (typeof expected === 'string') expect(found).toBe(expected);
  else expect(found).toMatch(expected);
});

test.each<[string, Changes, string | RegExp]>([
  [
    'workloadRef is given',
    { 'spec.objectRef': {} },
    'spec.objectRef.workloadRef: is missing; write apiVersion, kind and name of the workload that is released',
  ],
  ['canary is given', { 'spec.strategy': {} }, 'spec.strategy.canary: is missing; write canary with steps'],
  [
    'the style is known',
    { 'metadata.annotations': { 'rollouts.kruise.io/rolling-style': 'odd' } },
    'metadata.annotations[rollouts.kruise.io/rolling-style]: "odd" is not known; write canary or partition',
  ],
  [
    'a step has weight or replicas',
    { [`${STEPS}.0`]: {} },
    'spec.strategy.canary.steps[0].replicas: is missing; write how many pods get the new version, 3 or "20%", or a weight',
  ],
  [
    'weight is at least 1 without replicas',
    { [`${STEPS}.0.weight`]: 0 },
    'spec.strategy.canary.steps[0].weight: 0 is no share of traffic; write a whole number from 1 to 100',
  ],
  [
    'weight is at most 100',
    { [`${STEPS}.1.weight`]: 101 },
    'spec.strategy.canary.steps[1].weight: 101 is no share of traffic; write a whole number from 0 to 100',
  ],
  [
    'a partition step above the limit has no weight',
    { 'metadata.annotations': { 'rollouts.kruise.io/rolling-style': 'Partition' } },
    /^spec\.strategy\.canary\.steps\[1\]\.replicas: "60%" is too much/,
  ],
  [
    'a weight alone is held to the limit too',
    { 'metadata.annotations': { 'rollouts.kruise.io/rolling-style': 'partition' }, [STEPS]: [{ weight: 51 }] },
    /^spec\.strategy\.canary\.steps\[0\]\.weight: "51%" is too much/,
  ],
  [
    'weights do not fall',
    {
      [STEPS]: [
        { weight: 20, replicas: 1 },
        { weight: 10, replicas: 1 },
      ],
    },
    'spec.strategy.canary.steps[1].weight: 10 is less than the 20 of an earlier step; write at least as much',
  ],
  [
    'replicas do not fall, weights standing in for them',
    { [STEPS]: [{ weight: 20 }, { replicas: '10%' }] },
    /^spec\.strategy\.canary\.steps\[1\]\.replicas: 10% are fewer than the 20%/,
  ],
  [
    'both names of the references agree',
    {
      [`${CANARY}.trafficRoutings.0`]: {
        service: 's',
        networkRefs: [{ apiVersion: 'a.example.com/v1', kind: 'K', name: 'x' }],
        customNetworkRefs: [{ apiVersion: 'a.example.com/v1', kind: 'K', name: 'y' }],
      },
    },
    /trafficRoutings\[0\]\.networkRefs: differs from customNetworkRefs/,
  ],
  [
    'both forms of the canary Service agree',
    { [`${CANARY}.disableGenerateCanaryService`]: true, [`${CANARY}.trafficRoutings.0.createCanaryService`]: true },
    /trafficRoutings\[0\]\.createCanaryService: contradicts/,
  ],
  [
    'a match has a condition',
    { [`${STEPS}.1.matches`]: [{ headers: [] }] },
    /^spec\.strategy\.canary\.steps\[1\]\.matches\[0\]: has no condition/,
  ],
  [
    'matches need trafficRoutings',
    { [`${CANARY}.trafficRoutings`]: undefined, [`${STEPS}.1.matches`]: [{ headers: [{ name: 'a', value: 'b' }] }] },
    /^spec\.strategy\.canary\.steps\[1\]\.matches: needs/,
  ],
])('v1alpha1 is refused unless %s', (_title, changes, expected) => {
  const found = text(changed(ALPHA, changes));
  if (typeof expected === 'string') expect(found).toBe(expected);
  else expect(found).toMatch(expected);
});

test('all violations are told at once', () => {
  const wrong = changed(BETA, {
    'spec.workloadRef.name': '',
    [`${STEPS}.0.replicas`]: 'x',
    [`${STEPS}.1.traffic`]: 'y',
    [`${CANARY}.trafficRoutings.0.service`]: '',
  });
  expect(validateRollout(wrong).violations.map(({ path }) => path.at(-1))).toEqual([
    'name',
    'replicas',
    'traffic',
    'service',
  ]);
});

test.each<[string, Json, ValidationContext, string[]]>([
  [
    'a number of pods in a partition step, where the workload is not known',
    changed(BETA, { [`${CANARY}.enableExtraWorkloadForCanary`]: false, [STEPS]: [{ replicas: 3, traffic: '10%' }] }),
    {},
    [
      'spec.strategy.canary.steps[0].replicas: 3 pods cannot be held against the limit of 50% of the workload here; write a percentage to have it checked',
    ],
  ],
  [
    'an older form of a release id',
    changed(ALPHA, { 'spec.rolloutID': 'x' }),
    {},
    ['spec.rolloutID: is deprecated and has no effect; put the label rollouts.kruise.io/rollout-id on the workload'],
  ],
  [
    'a header modifier that nothing uses',
    changed(BETA, { [STEPS]: [{ replicas: 3, requestHeaderModifier: {} }] }),
    {},
    ['spec.strategy.canary.steps[0].requestHeaderModifier: has no effect without traffic or matches in the same step'],
  ],
  [
    'a weight that steers nothing',
    changed(ALPHA, { [`${CANARY}.trafficRoutings`]: [] }),
    {},
    ['spec.strategy.canary.steps[1].weight: has no effect without spec.strategy.canary.trafficRoutings'],
  ],
  [
    'a stable Service of another Rollout',
    BETA,
    { others: [changed(BETA, { 'metadata.name': 'b', 'spec.workloadRef.name': 'b' })] },
    [
      'spec.strategy.canary.trafficRoutings[0].service: is a stable Service of Rollout shop/b too; their releases cannot run at the same time',
    ],
  ],
])('warns of %s', (_title, object, context, expected) => {
  expect(validateRollout(object, context)).toEqual({ violations: [], warnings: expected });
});

test.each([
  [10, 5, ''],
  [10, 6, /6 of 10 pods are too many/],
  [1, 1, /1 of 1 pods are too many/],
])(
  'numbers of pods are held to the partition limit when the workload is known: of %i pods %i',
  (workloadReplicas, replicas, expected) => {
    const object = changed(BETA, {
      [`${CANARY}.enableExtraWorkloadForCanary`]: false,
      [STEPS]: [{ replicas, traffic: '10%' }],
    });
    expect(text(object, { workloadReplicas })).toMatch(expected === '' ? /^$/ : expected);
  },
);

test('validation never throws, and a violation names a field below the root', () => {
  fc.assert(
    fc.property(
      fc.oneof(brokenRollouts, betaRollouts, alphaRollouts),
      fc.oneof(brokenRollouts, betaRollouts),
      (object, old) => {
        for (const { path } of validateRollout(object, { old, others: [old] }).violations) {
          expect(['spec', 'metadata']).toContain(path[0]);
        }
        validateSchema(object);
        readRollout(object);
      },
    ),
    { numRuns: 300 },
  );
});

test.each<[Json, string]>([
  [null, 'kind: is no Rollout; write apiVersion: rollouts.kruise.io/v1beta1 and kind: Rollout'],
  [
    { apiVersion: V1BETA1, kind: 'TrafficRouting' },
    'kind: is no Rollout; write apiVersion: rollouts.kruise.io/v1beta1 and kind: Rollout',
  ],
  [changed(BETA, { 'spec.disabled': 'no' }), 'spec.disabled: "no" is not allowed here; write true or false'],
])('readRollout refuses what is no valid Rollout: %j', (object, expected) => {
  const read = readRollout(object);
  expect('violations' in read && violationsText(read.violations)).toBe(expected);
});

test('readRollout gives v1beta1 with defaults for either version', () => {
  for (const object of [BETA, convertRollout(BETA, V1ALPHA1)]) {
    const read = readRollout(object);
    const value = 'rollout' in read ? (read.rollout as unknown as Json) : null;
    expect(at(value, ['spec', 'disabled'])).toBe(false);
    expect(at(value, ['spec', 'strategy', 'canary', 'steps', 2, 'matches', 0, 'headers', 0])).toEqual({
      name: 'v',
      type: 'Exact',
      value: 'x',
    });
    expect(at(value, ['spec', 'strategy', 'canary', 'trafficRoutings', 0])).toEqual({
      ...routing,
      gracePeriodSeconds: 3,
    });
  }
});

test('another Rollout is read once, however often it is judged against', () => {
  let reads = 0;
  const given = { apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout', metadata: { name: 'other' }, spec: {} };
  const other = new Proxy(given, {
    get(target, key) {
      if (key === 'spec') reads += 1;
      return Reflect.get(target, key);
    },
  });
  validateRollout({ metadata: { name: 'one' } }, { others: [other] });
  const first = reads;
  expect(first).toBeGreaterThan(0);
  validateRollout({ metadata: { name: 'two' } }, { others: [other] });
  expect(reads).toBe(first);
});
