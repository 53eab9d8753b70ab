import fc from 'fast-check';
import { parseJson } from '../json/text.ts';
import type { Json, JsonMap } from '../json/value.ts';
import { V1ALPHA1, V1BETA1 } from './names.ts';

/** Generated Rollouts for property tests: such as people write, and such as nobody should. */

type Fields = { readonly [name: string]: fc.Arbitrary<Json> };

/** A map in which each field may be missing. */
const some = (fields: Fields): fc.Arbitrary<Json> => fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<JsonMap>;
const list = (item: fc.Arbitrary<Json>, maxLength = 3): fc.Arbitrary<Json> => fc.array(item, { maxLength });

const name = fc.constantFrom('a', 'b', 'x-user', 'X-User');
const percent = fc.constantFrom('5%', '20%', '100%', '20.5%', '020%', 'abc', '');
const replicas = fc.constantFrom<Json>(1, 3, '20%', '5%', '100%');
const ref = some({ apiVersion: fc.constantFrom('apps/v1', 'networking.istio.io/v1beta1'), kind: name, name });
const header = some({ name, type: fc.constantFrom('Exact', 'RegularExpression'), value: name });
const modifier = some({ set: list(some({ name, value: name }), 2), remove: list(name, 2) });
const pause = some({ duration: fc.nat(100) });
const routing = {
  service: name,
  gracePeriodSeconds: fc.nat(9),
  ingress: some({ name }),
  gateway: some({ httpRouteName: name }),
  customNetworkRefs: list(ref, 2),
};
const shared = {
  failureThreshold: replicas,
  disableGenerateCanaryService: fc.boolean(),
  patchPodTemplateMetadata: some({ labels: some({ version: name }), annotations: fc.constant({}) }),
};

const betaMatch = some({
  headers: list(header, 2),
  queryParams: list(header, 2),
  cookies: list(header, 2),
  path: some({ type: fc.constant('Exact'), value: fc.constant('/a') }),
  method: fc.constant('GET'),
  expression: fc.constant('path == "/a"'),
});
const betaStep = some({
  traffic: percent,
  replicas,
  matches: list(betaMatch),
  requestHeaderModifier: modifier,
  mirror: some({ percent: fc.nat(100) }),
  pause,
});
const betaStrategy = {
  steps: list(betaStep, 4),
  trafficRoutings: list(some(routing), 2),
  trafficRoutingRef: name,
  progressDeadlineSeconds: fc.nat(900),
  onFailure: fc.constantFrom('pause', 'rollback'),
  ...shared,
};
const betaSpec = some({
  workloadRef: ref,
  disabled: fc.boolean(),
  strategy: some({
    paused: fc.boolean(),
    canary: some({ ...betaStrategy, enableExtraWorkloadForCanary: fc.boolean() }),
    blueGreen: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, some(betaStrategy)),
  }).map((strategy) => withoutNull(strategy)),
});

const alphaStep = some({
  weight: fc.integer({ min: -1, max: 120 }),
  replicas,
  matches: list(some({ headers: list(header, 2) })),
  requestHeaderModifier: modifier,
  pause,
});
const alphaSpec = some({
  objectRef: some({ workloadRef: ref }),
  rolloutID: name,
  disabled: fc.boolean(),
  strategy: some({
    paused: fc.boolean(),
    canary: some({
      steps: list(alphaStep, 4),
      trafficRoutings: list(some({ ...routing, networkRefs: list(ref, 2), createCanaryService: fc.boolean() }), 2),
      ...shared,
    }),
  }),
});

const subStatus = {
  currentStepIndex: fc.nat(4),
  nextStepIndex: fc.nat(4),
  currentStepState: fc.constantFrom('StepPaused', 'Completed'),
  finalisingStep: fc.constant(''),
};
const statusFields = {
  observedGeneration: fc.constantFrom<Json>(1, parseJson('9007199254740993')),
  phase: fc.constant('Progressing'),
  conditions: list(some({ type: name })),
  canaryStatus: some(subStatus),
};
const betaStatus = some({
  ...statusFields,
  currentStepIndex: fc.nat(4),
  currentStepState: fc.constantFrom('StepPaused', ''),
  blueGreenStatus: some(subStatus),
  release: some({ outcome: name, request: fc.constantFrom('', 'promote'), approvedStep: fc.nat(4) }),
});

const metadata = some({
  name,
  labels: some({ a: name }),
  annotations: some({
    'rollouts.kruise.io/rolling-style': fc.constantFrom('canary', 'Partition', 'partition', 'odd', ''),
    'rollouts.kruise.io/trafficrouting': fc.constantFrom('', 'tr'),
    'sluice.dev/conversion': fc.constantFrom('mine', '{"version":"rollouts.kruise.io/v1beta2"}', '['.repeat(500)),
    other: name,
  }),
});

function withoutNull(value: Json): Json {
  return Object.fromEntries(Object.entries(value as JsonMap).filter(([, inner]) => inner !== null));
}

const rollout = (apiVersion: string, spec: fc.Arbitrary<Json>, status: fc.Arbitrary<Json>): fc.Arbitrary<JsonMap> =>
  some({ metadata, spec, status }).map((parts) => ({ apiVersion, kind: 'Rollout', ...(parts as JsonMap) }));

export const betaRollouts = rollout(V1BETA1, betaSpec, betaStatus);
export const alphaRollouts = rollout(V1ALPHA1, alphaSpec, some(statusFields));

/** A Rollout in which one value, anywhere, has been replaced by arbitrary JSON. */
export const brokenRollouts = fc
  .tuple(fc.oneof(betaRollouts, alphaRollouts), fc.jsonValue(), fc.nat())
  .map(([whole, junk, place]) => {
    const spots = countValues(whole);
    const { apiVersion, ...rest } = whole;
    return { apiVersion: apiVersion ?? null, ...(replaceAt(rest, (place % spots) + 1, junk as Json).value as JsonMap) };
  });

function countValues(value: Json): number {
  return typeof value !== 'object' || value === null
    ? 1
    : Object.values(value).reduce<number>((sum, inner) => sum + countValues(inner), 1);
}

/** Replaces the value that is met after `left` steps in a walk from the top; the top itself stays. */
function replaceAt(value: Json, left: number, junk: Json): { value: Json; left: number } {
  if (left === 0) return { value: junk, left: -1 };
  if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return { value, left: left - 1 };
  let rest = left - 1;
  const inner = Object.entries(value).map(([key, member]: [string, Json]) => {
    if (rest < 0) return [key, member] as const;
    const done = replaceAt(member, rest, junk);
    rest = done.left;
    return [key, done.value] as const;
  });
  return { value: Array.isArray(value) ? inner.map(([, member]) => member) : Object.fromEntries(inner), left: rest };
}
