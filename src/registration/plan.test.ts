import { describe, expect, test } from 'vitest';
import { CONVERSION_PATH, FAILURE_POLICIES, ROUTE_TABLE } from '../admission/routes.ts';
import { at, type JsonMap, stringAt } from '../json/value.ts';
import type { KubeObject } from '../kube/client.ts';
import { conversionFor, conversionState } from './conversion.ts';
import type { RuleKind } from './kinds.ts';
import { carriedBundles, type Observed, planRegistration, storedKinds } from './plan.ts';
import { base64 } from './render.ts';
import { readTemplates } from './templates.ts';

const ALL = new Set([...Object.values(ROUTE_TABLE).map(({ path }) => path), CONVERSION_PATH]);
const MUTATING = 'zz-sluice-mutating';
const ROLLOUTS = 'rollouts.rollouts.kruise.io';
const observed: Observed = {
  templates: readTemplates(),
  namespace: 'delivery',
  failurePolicies: FAILURE_POLICIES,
  excludedNamespaces: [],
  owner: { name: 'sluice-controller', uid: '42' },
  bundle: 'PEM',
  kinds: [],
  ready: [ALL],
  live: new Map(),
  calledBefore: new Set(),
};

const nameOf = (object: JsonMap) => stringAt(object, 'metadata', 'name') ?? '';
const planned = (given: Partial<Observed>) => planRegistration({ ...observed, ...given });

/** What is stored once the writes have been made. */
function stored(given: Partial<Observed> = {}): Map<string, KubeObject> {
  return new Map(planned(given).writes.map(({ object }) => [nameOf(object), object]));
}

const entryNames = (object: JsonMap | undefined) =>
  (at(object, ['webhooks']) as JsonMap[]).map((webhook) => webhook['name']);

function crd(
  metadata: JsonMap,
  conversion: JsonMap = { strategy: 'None' },
  versions = ['v1alpha1', 'v1beta1'],
): KubeObject {
  return {
    metadata: { name: ROLLOUTS, ...metadata },
    spec: { conversion, versions: versions.map((name) => ({ name })) },
  };
}

const OURS = { labels: { 'app.kubernetes.io/name': 'sluice' } };

test('what has been written is not written again', () => {
  expect(planned({}).writes.map(({ object }) => nameOf(object))).toEqual([MUTATING, 'zz-sluice-validating']);
  expect(planned({ live: stored() }).writes).toEqual([]);
});

test('rules that are stored stay until it is known which kinds are in use', () => {
  const kinds: RuleKind[] = [
    { group: 'traefik.io', version: 'v1alpha1', plural: 'ingressroutes', scope: 'Namespaced' },
    { group: 'networking.istio.io', version: 'v1', plural: 'virtualservices', scope: 'Namespaced' },
  ];
  const live = stored({ kinds });
  expect(storedKinds({ ...observed, live })).toEqual([...kinds].sort((a, b) => (a.group < b.group ? -1 : 1)));
  expect(storedKinds({ ...observed, live: stored() })).toEqual([]);
  expect(planned({ live, kinds: undefined }).writes).toEqual([]);
  expect(planned({ live, kinds: [] }).writes.map(({ object }) => nameOf(object))).toEqual([MUTATING]);
  expect(planned({ kinds: undefined }).writes).toHaveLength(2);
});

test('a rule for a kind that may have none does not stay, wherever it came from', () => {
  const live = stored();
  const object = live.get(MUTATING) ?? {};
  const secrets = { apiGroups: [''], apiVersions: ['v1'], resources: ['secrets'], operations: ['CREATE'] };
  const [first = {}, ...others] = at(object, ['webhooks']) as JsonMap[];
  const rules = [...(first['rules'] as JsonMap[]), { ...secrets, scope: 'Namespaced' }];
  live.set(MUTATING, { ...object, webhooks: [{ ...first, rules }, ...others] });
  const [write] = planned({ live, kinds: undefined }).writes;
  expect(nameOf(write?.object ?? {})).toBe(MUTATING);
  expect(JSON.stringify(write?.object)).not.toContain('secrets');
});

test.each<[string, Partial<Observed>]>([
  ['there is no CA', { bundle: undefined }],
  ['no webhook is ready', { ready: [] }],
  ['our ClusterRole is gone', { owner: undefined }],
])('nothing is written while %s, whatever is stored', (_, given) => {
  const edited = new Map([...stored()].map(([name, object]) => [name, { ...object, webhooks: [] }]));
  for (const live of [new Map(), stored(), edited]) {
    const plan = planned({ ...given, live });
    expect(plan.writes).toEqual([]);
    expect(plan.holds).toMatch(/./);
  }
});

test('a configuration that a hand took away comes back as it was, also while a new webhook has not answered yet', () => {
  const calledBefore = planned({}).called;
  expect(stored({ ready: [ALL, undefined], calledBefore })).toEqual(stored());
  expect(stored({ ready: [ALL, undefined] })).toEqual(new Map());
});

describe('an entry of another version of ours', () => {
  const older = (path: string): KubeObject => {
    const whole = stored().get(MUTATING);
    const [gateway] = at(whole, ['webhooks']) as JsonMap[];
    const service = { namespace: 'delivery', name: 'sluice-webhook', port: 443, path };
    return {
      ...whole,
      webhooks: [{ ...gateway, name: 'older.sluice.dev', clientConfig: { service, caBundle: 'old' } }],
    };
  };
  const SERVED_BEFORE = new Set([...ALL, '/mutate/older'].filter((path) => path !== ROUTE_TABLE.gateway.path));

  test('stays, with the bundle of today, until all that replaces it is called', () => {
    const live = new Map([[MUTATING, older('/mutate/older')]]);
    const between = stored({ live, ready: [SERVED_BEFORE, new Set([...ALL, '/mutate/older'])] }).get(MUTATING);
    const others = entryNames(stored().get(MUTATING)).filter((name) => name !== 'gateways.sluice.dev');
    expect(entryNames(between)).toEqual([...others, 'older.sluice.dev']);
    expect(stringAt(between, 'webhooks', others.length, 'clientConfig', 'caBundle')).toBe(base64('PEM'));
    expect(entryNames(stored({ live, ready: [ALL] }).get(MUTATING))).not.toContain('older.sluice.dev');
  });

  test('goes when nobody serves it', () => {
    const live = new Map([[MUTATING, older('/mutate/older')]]);
    const ready = [new Set([ROUTE_TABLE.status.path])];
    expect(entryNames(stored({ live, ready }).get(MUTATING))).toEqual(['status.sluice.dev']);
  });
});

describe('the conversion of a CRD', () => {
  const wired = conversionFor('delivery', 'PEM');
  const elsewhere = conversionFor('kruise-rollout', 'PEM');

  test.each<[string, KubeObject | undefined, boolean, string]>([
    ['that is not there', undefined, true, 'missing'],
    ['with one version', crd(OURS, { strategy: 'None' }, ['v1beta1']), true, 'not needed'],
    ['without our label', crd({}), true, 'foreign'],
    ['of another chart', crd({ labels: { 'app.kubernetes.io/name': 'other' } }), true, 'foreign'],
    ['of ours', crd(OURS), true, 'wired'],
    ['of ours, which the manager before us served', crd(OURS, elsewhere), true, 'wired'],
    ['of ours, before all serve it', crd(OURS), false, 'waiting'],
    ['of ours, which calls us already', crd(OURS, wired), false, 'wired'],
  ])('%s', (_, object, isServed, state) => {
    expect(conversionState(object, 'delivery', isServed)).toBe(state);
  });

  test.each<[string, KubeObject, boolean]>([
    ['is set on a CRD of ours', crd(OURS), true],
    ['is left as it is when it is right', crd(OURS, wired), false],
    ['gets the bundle of today', crd(OURS, conversionFor('delivery', 'old')), true],
    ['is never touched on a CRD of others', crd({}, elsewhere), false],
  ])('%s', (_, object, isWritten) => {
    const { writes } = planned({ live: new Map([[ROLLOUTS, object]]) });
    expect(writes.some((intent) => nameOf(intent.object) === ROLLOUTS)).toBe(isWritten);
  });
});

test('the bundles in effect are those of each entry of ours and of CRDs of ours; where one has none, it is said', () => {
  const bundles = (live: Map<string, KubeObject>) => carriedBundles({ ...observed, live });
  expect(bundles(new Map())).toEqual([]);
  expect(bundles(stored())).toEqual(['PEM']);
  const other = stored({ bundle: 'PEM of two' }).get('zz-sluice-validating');
  if (other === undefined) throw new Error('nothing was planned');
  expect(bundles(new Map([...stored(), ['zz-sluice-validating', other]]))).toEqual(['PEM', 'PEM of two']);
  const bare = conversionFor('delivery', '');
  expect(bundles(new Map([[ROLLOUTS, crd(OURS, bare)]]))).toEqual(['']);
  expect(bundles(new Map([[ROLLOUTS, crd({}, bare)]]))).toEqual([]);
});
