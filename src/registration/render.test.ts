import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FAILURE_POLICIES, ROUTE_TABLE } from '../admission/routes.ts';
import { controllerUser } from '../api/names.ts';
import { at, isList, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { type RuleKind, refusalOf } from './kinds.ts';
import { joinedConditions } from './match-conditions.ts';
import { base64, type RenderInputs, render } from './render.ts';
import { withKinds } from './rules.ts';
import { readTemplates } from './templates.ts';

const templates = readTemplates();
const allPaths = new Set(Object.values(ROUTE_TABLE).map(({ path }) => path));
const inputs: RenderInputs = {
  namespace: 'delivery',
  bundle: 'PEM of two CAs\n',
  failurePolicies: FAILURE_POLICIES,
  excludedNamespaces: [],
  paths: allPaths,
  kinds: [],
  owner: { name: 'sluice-controller', uid: '42' },
  retained: new Map(),
};
const webhooksOf = (given: Partial<RenderInputs> = {}): JsonMap[] =>
  templates.flatMap((template) => render(template, { ...inputs, ...given })['webhooks'] as JsonMap[]);
const entry = (path: string, given: Partial<RenderInputs> = {}) =>
  webhooksOf(given).find((webhook) => stringAt(webhook, 'clientConfig', 'service', 'path') === path);

test('without choices of an installation the entries are those of the templates, called at our Service', () => {
  const written = templates.flatMap(({ entries }) => entries.map(({ webhook }) => webhook));
  expect(webhooksOf()).toEqual(
    written.map((webhook) => ({
      ...webhook,
      matchConditions: joinedConditions(webhook['matchConditions'], 'delivery'),
      objectSelector: {},
      namespaceSelector: expect.anything(),
      clientConfig: {
        caBundle: base64(inputs.bundle),
        service: {
          namespace: 'delivery',
          name: 'sluice-webhook',
          port: 443,
          path: at(webhook, ['clientConfig', 'service', 'path']),
        },
      },
    })),
  );
});

test('the conditions of an entry are installed as one, which holds where all of them hold', () => {
  const [installed, ...others] = (entry(ROUTE_TABLE.gateway.path)?.['matchConditions'] ?? []) as JsonMap[];
  expect(others).toEqual([]);
  expect(installed?.['name']).toBe('takes-part.lives.changes-something.no-rescue');
  const parts = at(templates[0]?.entries[0]?.webhook, ['matchConditions']) as JsonMap[];
  const expression = String(installed?.['expression']);
  const places = parts.map((part) => expression.indexOf(`(\n${part['expression']}\n)`));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places).not.toContain(-1);
  const between = parts.reduce((rest, part) => rest.replace(`(\n${part['expression']}\n)`, ''), expression);
  expect(between).toBe(' && '.repeat(parts.length - 1));
  expect(joinedConditions(undefined, 'delivery')).toEqual([]);
});

test('the names of joined conditions are such that an API server takes them', () => {
  const names = webhooksOf().map((webhook) => stringAt(webhook, 'matchConditions', 0, 'name') ?? '');
  expect(names.filter((name) => !/^[a-z]([-.a-z]{0,61}[a-z])$/.test(name))).toEqual([]);
});

test('conditions name our controller as it is in the namespace of the installation', () => {
  const named = (namespace: string) =>
    webhooksOf({ namespace }).filter((webhook) => JSON.stringify(webhook).includes(controllerUser(namespace)));
  expect(named('sluice-system').length).toBeGreaterThan(0);
  expect(named('delivery').length).toBe(named('sluice-system').length);
  expect(JSON.stringify(webhooksOf())).not.toContain('sluice-system');
});

test('no entry ever sees kube-system, our own namespace or an excluded one', () => {
  for (const webhook of webhooksOf({ excludedNamespaces: ['legacy', 'kube-system', 'delivery'] })) {
    expect(webhook['namespaceSelector']).toEqual({
      matchExpressions: [
        { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['delivery', 'kube-system', 'legacy'] },
      ],
    });
  }
});

test('the configurations belong to our ClusterRole, so that they go with the chart', () => {
  for (const template of templates) {
    expect(at(render(template, inputs), ['metadata', 'ownerReferences'])).toEqual([
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name: 'sluice-controller', uid: '42' },
    ]);
  }
});

test.each([
  ['gateway', 'Ignore'],
  ['workload', 'Ignore'],
  ['pod', 'Fail'],
] as const)('the failure policy of %s changes that entry alone', (name, chosen) => {
  const given = { failurePolicies: { ...FAILURE_POLICIES, [name]: chosen } };
  const expected = Object.entries(ROUTE_TABLE).map(([each, { path, failurePolicy }]) => [
    path,
    each === name ? chosen : failurePolicy,
  ]);
  const policies = webhooksOf(given).map((webhook) => [
    stringAt(webhook, 'clientConfig', 'service', 'path'),
    webhook['failurePolicy'],
  ]);
  expect(policies).toEqual(expected);
});

test('an entry is there only for the paths that are to be called', () => {
  const paths = new Set([ROUTE_TABLE.gateway.path]);
  expect(webhooksOf({ paths }).map((webhook) => webhook['name'])).toEqual(['gateways.sluice.dev']);
});

const kong: RuleKind = {
  group: 'configuration.konghq.com',
  version: 'v1',
  plural: 'udpingresses',
  scope: 'Namespaced',
};
const istioV1: RuleKind = {
  group: 'networking.istio.io',
  version: 'v1',
  plural: 'virtualservices',
  scope: 'Namespaced',
};

test('a kind that Rollouts name is added to the gateways, and to nothing else', () => {
  const rules = entry(ROUTE_TABLE.gateway.path, { kinds: [kong] })?.['rules'];
  expect(isList(rules) && rules.at(-1)).toEqual({
    apiGroups: ['configuration.konghq.com'],
    apiVersions: ['v1'],
    resources: ['udpingresses'],
    operations: ['CREATE', 'UPDATE'],
    scope: 'Namespaced',
  });
  expect(entry(ROUTE_TABLE.workload.path, { kinds: [kong] })).toEqual(entry(ROUTE_TABLE.workload.path));
});

test('a kind that is stored in another version than ours is matched in that version only', () => {
  const rules = entry(ROUTE_TABLE.gateway.path, { kinds: [istioV1] })?.['rules'] as JsonMap[];
  const istio = rules.filter((rule) => stringAt(rule, 'apiGroups', 0) === 'networking.istio.io');
  expect(istio.map(({ apiVersions, resources }) => ({ apiVersions, resources }))).toEqual([
    { apiVersions: ['v1'], resources: ['virtualservices'] },
    { apiVersions: ['v1beta1'], resources: ['destinationrules'] },
  ]);
});

test.each([
  ['', 'v1', 'secrets'],
  ['', 'v1', 'pods'],
  ['', 'v1', 'services'],
  ['apps', 'v1', 'deployments'],
  ['batch', 'v1', 'jobs'],
  ['coordination.k8s.io', 'v1', 'leases'],
  ['rbac.authorization.k8s.io', 'v1', 'clusterroles'],
  ['admissionregistration.k8s.io', 'v1', 'mutatingwebhookconfigurations'],
  ['apiextensions.k8s.io', 'v1', 'customresourcedefinitions'],
  ['networking.k8s.io', 'v1', 'networkpolicies'],
  ['snapshot.storage.k8s.io', 'v1', 'volumesnapshots'],
  ['rollouts.kruise.io', 'v1beta1', 'rollouts'],
  ['sluice.dev', 'v1', 'things'],
  ['*', '*', '*'],
  ['example.com', 'v1', '*'],
  ['example.com', 'v1', 'routes/status'],
  ['example.com', '*', 'routes'],
])('no rule is made for %s/%s %s, whoever names it', (group, version, plural) => {
  const kind: RuleKind = { group, version, plural, scope: 'Namespaced' };
  expect(refusalOf(kind)).toMatch(/./);
  expect(() => webhooksOf({ kinds: [kind] })).toThrow(/no rule may name/);
});

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const group = fc.oneof(
  fc.tuple(name, name).map((parts) => parts.join('.')),
  fc.constantFrom('networking.istio.io', 'gateway.networking.k8s.io', 'networking.k8s.io', '', 'apps', 'policy'),
);
const ruleKind: fc.Arbitrary<RuleKind> = fc.record({
  group,
  version: fc.constantFrom('v1', 'v1beta1', 'v2'),
  plural: fc.oneof(name, fc.constantFrom('virtualservices', 'httproutes')),
  scope: fc.constantFrom('Namespaced', 'Cluster'),
});

test('any kinds, in any order: each is matched once, in its version, in one rule for each group, version and scope', () => {
  const gateway = templates.flatMap(({ entries }) => entries).find(({ path }) => path === ROUTE_TABLE.gateway.path);
  const rules = gateway?.webhook['rules'] ?? [];
  fc.assert(
    fc.property(fc.uniqueArray(ruleKind, { selector: ({ group, plural }) => `${plural}.${group}` }), (drawn) => {
      const kinds = drawn.filter((kind) => refusalOf(kind) === undefined);
      const merged = withKinds(rules, kinds);
      expect(merged.length).toBe(new Set(merged.map(headOf)).size);
      const matched = merged.flatMap(matchedBy);
      const names = matched.map((text) => text.split(' ')[0]);
      expect(new Set(names).size).toBe(names.length);
      for (const { group, version, plural, scope } of kinds) {
        expect(matched).toContain(`${plural}.${group} ${version} ${scope}`);
      }
      const shipped = (isList(rules) ? rules : []).flatMap(matchedBy).map((text) => text.split(' ')[0]);
      expect(names).toEqual(expect.arrayContaining(shipped));
      expect(withKinds(rules, [...kinds].reverse())).toEqual(merged);
    }),
  );
});

function headOf(rule: Json): string {
  return [stringAt(rule, 'apiGroups', 0), stringAt(rule, 'apiVersions', 0), stringAt(rule, 'scope')].join('/');
}

function matchedBy(rule: Json): string[] {
  const resources = at(rule, ['resources']);
  const [group, version, scope] = headOf(rule).split('/');
  return isList(resources) ? resources.map((plural) => `${plural}.${group} ${version} ${scope}`) : [];
}

test('no kind of a group that keeps a cluster running is ever let in', () => {
  fc.assert(
    fc.property(ruleKind, (kind) => {
      fc.pre(refusalOf(kind) === undefined);
      expect(kind.group).toContain('.');
      expect(kind.group === 'gateway.networking.k8s.io' || !kind.group.endsWith('.k8s.io')).toBe(true);
      expect(kind.group).not.toMatch(/rollouts\.kruise\.io|sluice\.dev/);
    }),
  );
});
