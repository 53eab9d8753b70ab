import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from '../json/text.ts';
import { at, isList, isMap, type Json, type JsonMap } from '../json/value.ts';
import { alphaRollouts, betaRollouts, brokenRollouts } from './arbitrary.testing.ts';
import { convertRollout } from './conversion.ts';
import { withDefaults } from './defaults.ts';
import { type RolloutApiVersion, V1ALPHA1, V1BETA1 } from './names.ts';
import { type Schema, schemaOf } from './schema.ts';
import { validateSchema } from './validate.ts';

const alpha = (spec: Json, annotations: JsonMap = {}): JsonMap => ({
  apiVersion: V1ALPHA1,
  kind: 'Rollout',
  metadata: { name: 'r', annotations },
  spec,
});
const beta = (spec: Json, annotations: JsonMap = {}): JsonMap => ({
  apiVersion: V1BETA1,
  kind: 'Rollout',
  metadata: { name: 'r', annotations },
  spec,
});
const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' };
const canaryOf = (object: JsonMap) => at(object, ['spec', 'strategy', 'canary']);

/** Sets the value at a path of maps and lists that are there. */
function edit(value: Json, path: readonly (string | number)[], to: Json): JsonMap {
  const change = (here: Json, [step, ...rest]: readonly (string | number)[]): Json => {
    if (step === undefined) return to;
    if (Array.isArray(here)) return (here as Json[]).map((item, i) => (i === step ? change(item, rest) : item));
    const map = here as JsonMap;
    return { ...map, [step]: change(map[step] ?? {}, rest) };
  };
  return change(value, path) as JsonMap;
}

test.each([
  ['v1beta1', betaRollouts, V1BETA1, V1ALPHA1],
  ['v1alpha1', alphaRollouts, V1ALPHA1, V1BETA1],
] as const)('there and back again is the same object: %s', (_title, rollouts, from, to) => {
  fc.assert(
    fc.property(rollouts, (rollout) => {
      const there = convertRollout(rollout, to);
      const back = convertRollout(there, from);
      expect(canonicalJson(back)).toBe(canonicalJson(rollout));
      expect(canonicalJson(convertRollout(back, to))).toBe(canonicalJson(there));
    }),
    { numRuns: 500 },
  );
});

test('a Rollout with anything anywhere comes back as it was, and nothing throws', () => {
  fc.assert(
    fc.property(brokenRollouts, (rollout) => {
      const from = rollout['apiVersion'] === V1BETA1 ? V1BETA1 : V1ALPHA1;
      const to = from === V1BETA1 ? V1ALPHA1 : V1BETA1;
      const back = convertRollout(convertRollout(rollout, to), from);
      expect(canonicalJson(back)).toBe(canonicalJson(rollout));
    }),
    { numRuns: 500 },
  );
});

test('any JSON at all converts to something', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom<typeof V1ALPHA1 | typeof V1BETA1>(V1ALPHA1, V1BETA1), (value, to) => {
      expect(convertRollout(value as Json, to)['apiVersion']).toBe(to);
    }),
  );
});

test.each([
  ['not JSON', 'x'],
  ['JSON of no map', '[]'],
  ['no overlay', `{"version":"${V1BETA1}"}`],
  ['an overlay of another shape', `{"version":"${V1BETA1}","lost":{"in":{"spec":{"each":[{"seen":1}]}}}}`],
  ['units of another shape', `{"version":"${V1BETA1}","lost":{"in":{},"units":[{"keys":"a"},3,{"keys":[1]}]}}`],
  ['a map where a list is', `{"version":"${V1BETA1}","lost":{"each":[]}}`],
  ['deep nesting', `{"version":"${V1BETA1}","lost":${'{"in":{"spec":'.repeat(30_000)}1${'}}'.repeat(30_000)}}`],
  ['no gzip', 'gzip:AAAA'],
  ['half a gzip', `gzip:${gzipSync('{"a":1}').subarray(0, 12).toString('base64')}`],
  ['a zip bomb', `gzip:${gzipSync(`{"version":"${V1BETA1}","lost":"${'x'.repeat(8_000_000)}"}`).toString('base64')}`],
  ['a key named __proto__', `{"version":"${V1BETA1}","lost":{"in":{"__proto__":{"set":{"x":1}}}}}`],
])('an annotation that someone else has written does no harm: %s', (_title, text) => {
  const object = alpha(
    { objectRef: { workloadRef }, strategy: { canary: { steps: [{ weight: 5 }] } } },
    { 'sluice.dev/conversion': text },
  );
  const converted = convertRollout(object, V1BETA1);
  expect(at(converted, ['spec', 'strategy', 'canary', 'steps'])).toEqual([{ traffic: '5%', replicas: '5%' }]);
  expect(convertRollout(convertRollout(converted, V1ALPHA1), V1BETA1)).toEqual(converted);
});

test.each<[string, Json, JsonMap, Json]>([
  [
    'weight becomes traffic, and replicas where there are none',
    { steps: [{ weight: 20 }, { weight: 40, replicas: 3 }, { replicas: '50%' }] },
    {},
    {
      steps: [{ traffic: '20%', replicas: '20%' }, { traffic: '40%', replicas: 3 }, { replicas: '50%' }],
      enableExtraWorkloadForCanary: true,
    },
  ],
  ['without an annotation the style is canary', {}, {}, { enableExtraWorkloadForCanary: true }],
  [
    'the annotation partition is read in any case',
    {},
    { 'rollouts.kruise.io/rolling-style': 'Partition' },
    { enableExtraWorkloadForCanary: false },
  ],
  [
    'any other annotation is canary',
    {},
    { 'rollouts.kruise.io/rolling-style': 'odd' },
    { enableExtraWorkloadForCanary: true },
  ],
  [
    'the trafficrouting annotation becomes a field',
    {},
    { 'rollouts.kruise.io/trafficrouting': 'tr' },
    { enableExtraWorkloadForCanary: true, trafficRoutingRef: 'tr' },
  ],
  [
    'networkRefs become customNetworkRefs, createCanaryService: false disables the canary Service',
    { trafficRoutings: [{ service: 's', createCanaryService: false, networkRefs: [workloadRef] }] },
    {},
    {
      trafficRoutings: [{ service: 's', customNetworkRefs: [workloadRef] }],
      enableExtraWorkloadForCanary: true,
      disableGenerateCanaryService: true,
    },
  ],
  [
    'createCanaryService: true says what is the default',
    { trafficRoutings: [{ service: 's', createCanaryService: true }] },
    {},
    { trafficRoutings: [{ service: 's' }], enableExtraWorkloadForCanary: true },
  ],
  [
    'the newer field wins over createCanaryService',
    { disableGenerateCanaryService: false, trafficRoutings: [{ service: 's', createCanaryService: false }] },
    {},
    { disableGenerateCanaryService: false, trafficRoutings: [{ service: 's' }], enableExtraWorkloadForCanary: true },
  ],
])('v1alpha1 to v1beta1: %s', (_title, canary, annotations, expected) => {
  const converted = convertRollout(alpha({ objectRef: { workloadRef }, strategy: { canary } }, annotations), V1BETA1);
  expect(canaryOf(converted)).toEqual(expected);
  expect(at(converted, ['spec', 'workloadRef'])).toEqual(workloadRef);
});

test.each<[string, Json, Json, JsonMap]>([
  [
    'traffic becomes weight, rounded up',
    { steps: [{ traffic: '20%', replicas: 1 }, { traffic: '20.5%' }, { traffic: 'x' }] },
    { steps: [{ weight: 20, replicas: 1 }, { weight: 21 }, {}] },
    { 'rollouts.kruise.io/rolling-style': 'partition' },
  ],
  [
    'the style becomes an annotation',
    { enableExtraWorkloadForCanary: true },
    {},
    { 'rollouts.kruise.io/rolling-style': 'canary' },
  ],
  [
    'so does trafficRoutingRef',
    { trafficRoutingRef: 'tr' },
    {},
    { 'rollouts.kruise.io/rolling-style': 'partition', 'rollouts.kruise.io/trafficrouting': 'tr' },
  ],
  [
    'what v1alpha1 has no field for is not shown',
    { steps: [{ mirror: { percent: 5 }, matches: [{ path: { value: '/a' }, headers: [] }] }] },
    { steps: [{ matches: [{ headers: [] }] }] },
    { 'rollouts.kruise.io/rolling-style': 'partition' },
  ],
])('v1beta1 to v1alpha1: %s', (_title, canary, expected, annotations) => {
  const converted = convertRollout(beta({ workloadRef, strategy: { canary } }), V1ALPHA1);
  expect(canaryOf(converted)).toEqual(expected);
  expect(at(converted, ['spec', 'objectRef'])).toEqual({ workloadRef });
  expect(at(converted, ['metadata', 'annotations'])).toMatchObject(annotations);
});

test('a blue-green Rollout shows no strategy in v1alpha1, and its status and strategy come back', () => {
  const object = {
    ...beta({ workloadRef, strategy: { paused: true, blueGreen: { steps: [{ replicas: '100%' }] } } }),
    status: { currentStepIndex: 1, currentStepState: 'StepPaused', blueGreenStatus: { podTemplateHash: 'x' } },
  };
  const shown = convertRollout(object, V1ALPHA1);
  expect(at(shown, ['spec', 'strategy'])).toEqual({ paused: true });
  expect(shown['status']).toEqual({});
  expect(convertRollout(shown, V1BETA1)).toEqual(object);
});

const STEPS = ['spec', 'strategy', 'canary', 'steps'];
const HIDDEN = beta({
  workloadRef,
  strategy: {
    canary: {
      enableExtraWorkloadForCanary: false,
      steps: [
        { traffic: '5%', replicas: '5%', matches: [{ path: { value: '/a' } }] },
        { traffic: '20%', replicas: '20%', mirror: { percent: 7 } },
        { traffic: '50%', replicas: '50%' },
      ],
    },
  },
});

/** What a v1alpha1 client reads, changes and writes, as it is stored then. */
const through = (change: (shown: JsonMap) => JsonMap) =>
  convertRollout(change(convertRollout(HIDDEN, V1ALPHA1)), V1BETA1);
const stepsOf = (object: JsonMap) => at(object, STEPS) as Json[];

test.each<[string, (shown: JsonMap) => JsonMap, Json]>([
  [
    'an edited weight wins, the hidden mirror of the same step stays',
    (shown) => edit(shown, [...STEPS, 1, 'weight'], 30),
    [
      stepsOf(HIDDEN)[0] ?? null,
      { traffic: '30%', replicas: '20%', mirror: { percent: 7 } },
      stepsOf(HIDDEN)[2] ?? null,
    ],
  ],
  [
    'hidden fields follow their step when one is inserted before',
    (shown) => edit(shown, STEPS, [{ weight: 1, replicas: 1 }, ...stepsOf(shown)]),
    [{ traffic: '1%', replicas: 1 }, ...stepsOf(HIDDEN)],
  ],
  [
    'hidden fields go with their step',
    (shown) => edit(shown, STEPS, stepsOf(shown).slice(2)),
    stepsOf(HIDDEN).slice(2),
  ],
  [
    'matches taken away in v1alpha1 do not come back',
    (shown) => edit(shown, [...STEPS, 0], { weight: 5, replicas: '5%' }),
    [{ traffic: '5%', replicas: '5%' }, ...stepsOf(HIDDEN).slice(1)],
  ],
])('a v1alpha1 client edits an object that has hidden fields: %s', (_title, change, expected) => {
  expect(stepsOf(through(change))).toEqual(expected);
});

test('what is edited in v1beta1 wins over what v1alpha1 had said in its own way', () => {
  const written = alpha({
    objectRef: { workloadRef },
    strategy: {
      canary: {
        steps: [{ weight: 20 }],
        trafficRoutings: [{ service: 's', createCanaryService: false, networkRefs: [workloadRef] }],
      },
    },
  });
  const stored = convertRollout(written, V1BETA1);
  const CANARY = ['spec', 'strategy', 'canary'];
  const other = [{ ...workloadRef, name: 'other' }];
  const read = (change: JsonMap) => canaryOf(convertRollout(change, V1ALPHA1));
  expect(read(edit(stored, [...CANARY, 'steps', 0, 'traffic'], '30%'))).toMatchObject({
    steps: [{ weight: 30, replicas: '20%' }],
  });
  expect(read(edit(stored, [...CANARY, 'disableGenerateCanaryService'], false))).toEqual({
    steps: [{ weight: 20 }],
    disableGenerateCanaryService: false,
    trafficRoutings: [{ service: 's', networkRefs: [workloadRef] }],
  });
  expect(
    at(read(edit(stored, [...CANARY, 'trafficRoutings', 0, 'customNetworkRefs'], other)), ['trafficRoutings', 0]),
  ).toEqual({ service: 's', createCanaryService: false, customNetworkRefs: other });
});

test('a v1alpha1 client that writes a canary strategy over a hidden blue-green one gets a canary release', () => {
  const shown = convertRollout(beta({ workloadRef, strategy: { blueGreen: { steps: [] } } }), V1ALPHA1);
  const stored = convertRollout(edit(shown, ['spec', 'strategy', 'canary'], { steps: [{ weight: 5 }] }), V1BETA1);
  expect(at(stored, ['spec', 'strategy'])).toEqual({
    canary: { steps: [{ traffic: '5%', replicas: '5%' }], enableExtraWorkloadForCanary: true },
  });
});

test('an edit in either version survives the way through the other one', () => {
  fc.assert(
    fc.property(betaRollouts, fc.nat(3), fc.integer({ min: 1, max: 100 }), (rollout, index, weight) => {
      const shown = convertRollout(rollout, V1ALPHA1);
      fc.pre(at(shown, [...STEPS, index]) !== undefined && at(shown, [...STEPS, index, 'weight']) !== weight);
      const changed = edit(shown, [...STEPS, index, 'weight'], weight);
      const stored = convertRollout(changed, V1BETA1);
      expect(at(stored, [...STEPS, index, 'traffic'])).toBe(`${weight}%`);
      expect(convertRollout(stored, V1ALPHA1)['spec']).toEqual(changed['spec']);
    }),
  );
});

test('a Rollout that hides a lot stays within what annotations may hold, and comes back', () => {
  const matches = Array.from({ length: 16 }, (_, i) => ({
    path: { value: `/a${i}` },
    expression: `path == "/${'x'.repeat(900)}"`,
  }));
  const steps = Array.from({ length: 50 }, (_, i) => ({ traffic: `${i + 1}%`, replicas: `${i + 1}%`, matches }));
  const object = beta({ workloadRef, strategy: { canary: { steps } } });
  const shown = convertRollout(object, V1ALPHA1);
  expect(String(at(shown, ['metadata', 'annotations', 'sluice.dev/conversion']))).toMatch(/^gzip:.{1,65000}$/);
  expect(convertRollout(shown, V1BETA1)).toEqual(object);
});

test('what conversion makes of a valid object is valid', () => {
  const object = withDefaults(HIDDEN);
  const shown = convertRollout(object, V1ALPHA1);
  expect(validateSchema(shown)).toEqual([]);
  expect(validateSchema(convertRollout(shown, V1BETA1))).toEqual([]);
});

/** A value with every field that a schema has. */
function filled(schema: Schema, key = ''): Json {
  if (schema.properties !== undefined) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, inner]) => [name, filled(inner, name)]));
  }
  if (schema.items !== undefined) return [filled(schema.items)];
  if (schema.additionalProperties !== undefined) return { a: filled(schema.additionalProperties) };
  if (schema.type === 'boolean') return true;
  if (schema.type === 'integer') return 1;
  return key === 'traffic' ? '20%' : (schema.enum?.at(-1) ?? 'x');
}

/** What an API server keeps of a value: the fields of its schema. */
function pruned(value: Json, schema: Schema): Json {
  if (isList(value)) return schema.items === undefined ? value : value.map((item) => pruned(item, schema.items ?? {}));
  const { properties } = schema;
  if (!isMap(value) || properties === undefined) return value;
  const kept = Object.entries(value).filter(([name]) => Object.hasOwn(properties, name));
  return Object.fromEntries(kept.map(([name, inner]) => [name, pruned(inner, properties[name] ?? {})]));
}

test.each(['canary', 'blueGreen'])(
  'no field of a %s release is lost when an API server prunes what v1alpha1 does not know',
  (strategy) => {
    const schema = (version: RolloutApiVersion, part: string) => schemaOf(version, 'Rollout')?.properties?.[part] ?? {};
    const { strategy: both, ...spec } = filled(schema(V1BETA1, 'spec')) as JsonMap;
    const kept = { [strategy]: at(both, [strategy]) ?? null };
    const stored = { ...beta({ ...spec, strategy: kept }), status: filled(schema(V1BETA1, 'status')) };
    const shown = convertRollout(stored, V1ALPHA1);
    const part = (name: string) => pruned(shown[name] ?? {}, schema(V1ALPHA1, name));
    const written = { ...shown, spec: part('spec'), status: part('status') };
    expect(convertRollout(written, V1BETA1)).toEqual(stored);
  },
);
