import fc from 'fast-check';
import { canonicalJson } from '../../src/json/text.ts';
import { isList, isMap, type Json, type JsonMap } from '../../src/json/value.ts';
import type { Action, GatewayAction } from '../../src/rewrite/directive.ts';
import { type Schema, valueAt, withPath } from '../api-server/fields.ts';

/** A change that means the same in the user's source and in the rewritten view; undefined where it does not apply. */
export type Edit = { readonly name: string; readonly apply: (object: JsonMap) => JsonMap | undefined };

/** A kind with objects as users write them, the steps of a release, and edits. */
export type Kind = {
  readonly name: string;
  readonly schema: Schema;
  readonly source: fc.Arbitrary<JsonMap>;
  readonly actions: (hash: string) => Action[];
  /** `tag` makes each edit a new one. */
  readonly edits: (source: JsonMap, tag: string) => Edit[];
};

const header = (value: string): JsonMap => ({ headers: [{ type: 'Exact', name: 'x-user', value }] });

function gatewayActions(script: string, hash: string, services = ['svc', 'svc-canary'] as const): Action[] {
  const action: GatewayAction & { type: 'gateway' } = {
    type: 'gateway',
    contract: 'custom',
    script: { name: script, hash },
    routes: [{ stableService: services[0], canaryService: services[1] }],
  };
  return [
    { ...action, weight: 20 },
    { ...action, matches: [header('a')] },
    { ...action, weight: 50, matches: [header('a'), header('b')] },
    { ...action, weight: 100 },
  ];
}

function manifest(apiVersion: string, kind: string, spec: fc.Arbitrary<JsonMap>): fc.Arbitrary<JsonMap> {
  const labels = fc.option(fc.constant({ app: 'web' }), { nil: undefined });
  const annotations = fc.option(fc.constant({ 'example.com/team': 'a' }), { nil: undefined });
  return fc.record({ spec, labels, annotations }).map((parts) => ({
    apiVersion,
    kind,
    metadata: {
      name: 'web',
      namespace: 'shop',
      ...(parts.labels === undefined ? {} : { labels: parts.labels }),
      ...(parts.annotations === undefined ? {} : { annotations: parts.annotations }),
    },
    spec: parts.spec,
  }));
}

const set = (name: string, path: readonly string[], value: Json | undefined): Edit => ({
  name,
  apply(object) {
    const changed = withPath(object, path, value);
    const parent = path.slice(0, -1);
    const emptied =
      value === undefined &&
      parent[0] === 'metadata' &&
      Object.keys((valueAt(changed, parent) as JsonMap | undefined) ?? {}).length === 0;
    return emptied ? withPath(changed, parent, undefined) : changed;
  },
});

/** Edits that every object allows. */
function metadataEdits(tag: string): Edit[] {
  return [
    set('label', ['metadata', 'labels', 'tier'], tag),
    set('annotation', ['metadata', 'annotations', 'example.com/note'], tag),
    set('annotation removed', ['metadata', 'annotations', 'example.com/team'], undefined),
  ];
}

/** Changes the list at the path, when it is there. */
function listEdit(name: string, path: readonly string[], change: (list: JsonMap[]) => Json[] | undefined): Edit {
  return {
    name,
    apply(object) {
      const list = valueAt(object, path);
      const changed = isList(list) ? change(list.filter(isMap)) : undefined;
      return changed === undefined ? undefined : withPath(object, path, changed);
    },
  };
}

/** Changes the one rule that `find` points at. */
function ruleEdit(
  name: string,
  path: readonly string[],
  find: (rule: JsonMap) => boolean,
  change: (rule: JsonMap) => JsonMap,
): Edit {
  return listEdit(name, path, (rules) => {
    const index = rules.findIndex(find);
    return index < 0 ? undefined : rules.map((rule, i) => (i === index ? change(rule) : rule));
  });
}

// ---- Istio VirtualService

const route = fc.constantFrom<JsonMap[]>(
  [{ destination: { host: 'svc' } }],
  [{ destination: { host: 'svc' }, weight: 100 }],
  [{ destination: { host: 'svc.shop.svc.cluster.local', port: { number: 80 } } }],
  [
    { destination: { host: 'svc' }, weight: 60 },
    { destination: { host: 'other' }, weight: 40 },
  ],
  [{ destination: { host: 'other' } }],
);

const httpRule = fc
  .record({
    named: fc.boolean(),
    match: fc.option(fc.constantFrom('/a', '/b', '/c'), { nil: undefined }),
    to: fc.oneof({ weight: 4, arbitrary: route }, { weight: 1, arbitrary: fc.constant(undefined) }),
    timeout: fc.option(fc.constant('5s'), { nil: undefined }),
    empty: fc.boolean(),
  })
  .map(
    ({ named, match, to, timeout, empty }) =>
      (i: number): JsonMap => ({
        ...(named ? { name: `r${i}` } : {}),
        match: [{ uri: { prefix: match === undefined ? `/only-${i}` : `${match}-${i}` } }],
        ...(to === undefined ? { redirect: { uri: '/new' } } : { route: to }),
        ...(timeout === undefined ? {} : { timeout }),
        ...(empty ? { corsPolicy: {} } : {}),
      }),
  );

/** The rule itself in any view of it, told by what no rewrite changes; never the canary rule derived from it. */
function sameRule(rule: JsonMap): (other: JsonMap) => boolean {
  const shape = ({ route: _, ...rest }: JsonMap) => canonicalJson(rest);
  return (other) => shape(other) === shape(rule) && !onlyCanary(other);
}

function onlyCanary(rule: JsonMap): boolean {
  const to = rule['route'];
  return isList(to) && to.every((each) => String(valueAt(each, ['destination', 'host'])).startsWith('svc-canary'));
}

function httpEdits(object: JsonMap, path: readonly string[], tag: string): Edit[] {
  const rules = valueAt(object, path);
  const own = (isList(rules) ? rules : []).filter(isMap).filter((rule) => !onlyCanary(rule));
  const rule = own[tag.length % Math.max(own.length, 1)] ?? {};
  const find = sameRule(rule);
  const added: JsonMap = { name: `n${tag}`, route: [{ destination: { host: `new-${tag}` } }] };
  const redirect: JsonMap = { match: [{ uri: { prefix: '/dup' } }], redirect: { uri: '/d' } };
  const withoutTimeout = ({ timeout: _, ...rest }: JsonMap): JsonMap => rest;
  return [
    ruleEdit('timeout', path, find, (r) => ({ ...r, timeout: tag })),
    ruleEdit('no timeout', path, find, withoutTimeout),
    ruleEdit('retries', path, find, (r) => ({ ...r, retries: { attempts: 3, retryOn: tag } })),
    ruleEdit('match', path, find, (r) => ({ ...r, match: [{ uri: { prefix: `/m${tag}` } }] })),
    listEdit('rule at the end', path, (all) => [...all, added]),
    listEdit('rule in front', path, (all) => [{ ...added, match: [{ uri: { exact: `/${tag}` } }] }, ...all]),
    listEdit('rule removed', path, (all) =>
      own.length < 2 ? undefined : all.filter((r) => !find(r) && !derived(r, rule)),
    ),
    listEdit('redirects first', path, (all) => [
      ...all.filter((r) => r['redirect']),
      ...all.filter((r) => !r['redirect']),
    ]),
    listEdit('duplicates', path, (all) => [...all, redirect, redirect]),
  ];
}

/** The canary rule that was made of a rule keeps its path match. */
function derived(candidate: JsonMap, rule: JsonMap): boolean {
  const prefix = (r: JsonMap) => canonicalJson(valueAt(firstOf(r['match']), ['uri']) ?? null);
  return onlyCanary(candidate) && prefix(candidate) === prefix(rule);
}

function firstOf(list: Json | undefined): Json | undefined {
  return isList(list) ? list[0] : undefined;
}

export const virtualService: Kind = {
  name: 'VirtualService',
  schema: { atomicMaps: [] },
  source: manifest(
    'networking.istio.io/v1beta1',
    'VirtualService',
    fc
      .record({ rules: fc.array(httpRule, { minLength: 1, maxLength: 4 }), exported: fc.boolean() })
      .map(({ rules, exported }) => ({
        hosts: ['web.example.com'],
        http: rules.map((rule, i) => rule(i)),
        ...(exported ? { exportTo: ['.'] } : {}),
      })),
  ),
  actions: (hash) => gatewayActions('networking.istio.io/VirtualService', hash),
  edits: (object, tag) => [
    ...metadataEdits(tag),
    ...httpEdits(object, ['spec', 'http'], tag),
    set('hosts', ['spec', 'hosts'], [`${tag}.example.com`]),
    set('gateways', ['spec', 'gateways'], [tag]),
  ],
};

// ---- Istio DestinationRule

export const destinationRule: Kind = {
  name: 'DestinationRule',
  schema: { atomicMaps: [] },
  source: manifest(
    'networking.istio.io/v1beta1',
    'DestinationRule',
    fc.record({ policy: fc.boolean(), more: fc.boolean() }).map(({ policy, more }) => ({
      host: 'svc',
      subsets: [
        { name: 'base', labels: { version: 'base' } },
        ...(more ? [{ name: 'old', labels: { version: 'old' } }] : []),
      ],
      ...(policy ? { trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } } : {}),
    })),
  ),
  actions: (hash) => gatewayActions('networking.istio.io/DestinationRule', hash, ['svc', 'svc'] as never),
  edits: (_object, tag) => [
    ...metadataEdits(tag),
    set('policy', ['spec', 'trafficPolicy'], { connectionPool: { tcp: { maxConnections: tag.length } } }),
    listEdit('subset', ['spec', 'subsets'], (all) => [{ name: tag, labels: { version: tag } }, ...all]),
    listEdit('subset label', ['spec', 'subsets'], (all) =>
      all.map((s) => (s['name'] === 'base' ? { ...s, labels: { version: tag } } : s)),
    ),
    listEdit('subset removed', ['spec', 'subsets'], (all) => all.filter((s) => s['name'] !== 'old')),
  ],
};

// ---- Gateway API HTTPRoute

const backend = (name: string, weight = 1): JsonMap => ({ group: '', kind: 'Service', name, port: 80, weight });

export const httpRoute: Kind = {
  name: 'HTTPRoute',
  schema: { atomicMaps: [] },
  source: manifest(
    'gateway.networking.k8s.io/v1',
    'HTTPRoute',
    fc
      .array(fc.record({ backend: fc.constantFrom('svc', 'svc', 'other', 'redirect'), filtered: fc.boolean() }), {
        minLength: 1,
        maxLength: 3,
      })
      .map((rules) => ({
        parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }],
        rules: rules.map((rule, i) => ({
          matches: [{ path: { type: 'PathPrefix', value: `/${i}` } }],
          ...(rule.backend === 'redirect'
            ? { filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https', statusCode: 302 } }] }
            : { backendRefs: [backend(rule.backend)] }),
          ...(rule.filtered && rule.backend !== 'redirect'
            ? {
                filters: [
                  { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x', value: 'y' }] } },
                ],
              }
            : {}),
        })),
      })),
  ),
  actions: (hash) => gatewayActions('gateway.networking.k8s.io/HTTPRoute', hash),
  edits: (_object, tag) => [
    ...metadataEdits(tag),
    set('hostnames', ['spec', 'hostnames'], [`${tag}.example.com`]),
    listEdit('timeouts', ['spec', 'rules'], (all) => {
      const index = all.findIndex(
        (rule) => canonicalJson(rule['matches'] ?? null) === '[{"path":{"type":"PathPrefix","value":"/0"}}]',
      );
      return index < 0
        ? undefined
        : all.map((rule, i) => (i === index ? { ...rule, timeouts: { request: `${tag.length}s` } } : rule));
    }),
    listEdit('rule', ['spec', 'rules'], (all) => [
      ...all,
      { matches: [{ path: { type: 'Exact', value: `/${tag}` } }], backendRefs: [backend(`new-${tag}`)] },
    ]),
  ],
};

// ---- OpenShift Route: a rewrite that adds a list, and changes a scalar that the source may own

export const openShiftRoute: Kind = {
  name: 'Route',
  schema: { atomicMaps: [] },
  source: manifest(
    'route.openshift.io/v1',
    'Route',
    fc.record({ port: fc.boolean() }).map(({ port }) => ({
      host: 'web.example.com',
      to: { kind: 'Service', name: 'svc', weight: 100 },
      ...(port ? { port: { targetPort: 8080 } } : {}),
    })),
  ),
  actions: (hash) => gatewayActions('route.openshift.io/Route', hash),
  edits: (_object, tag) => [
    ...metadataEdits(tag),
    set('path', ['spec', 'path'], `/${tag}`),
    set('port', ['spec', 'port'], { targetPort: tag }),
    set('host', ['spec', 'host'], `${tag}.example.com`),
  ],
};

// ---- AWS ALB Ingress: a rewrite that adds annotations

export const albIngress: Kind = {
  name: 'Ingress',
  schema: { atomicMaps: [] },
  source: manifest(
    'networking.k8s.io/v1',
    'Ingress',
    fc.record({ tls: fc.boolean() }).map(({ tls }) => ({
      ingressClassName: 'alb',
      rules: [
        {
          host: 'web.example.com',
          http: {
            paths: [
              {
                path: '/',
                pathType: 'Prefix',
                backend: { service: { name: 'svc', port: { name: 'use-annotation' } } },
              },
            ],
          },
        },
      ],
      ...(tls ? { tls: [{ hosts: ['web.example.com'], secretName: 'tls' }] } : {}),
    })),
  ),
  actions: (hash) => gatewayActions('networking.k8s.io/Ingress', hash),
  edits: (_object, tag) => [
    ...metadataEdits(tag),
    set('class', ['spec', 'ingressClassName'], tag),
    set('group', ['metadata', 'annotations', 'alb.ingress.kubernetes.io/group.name'], tag),
    set('tls', ['spec', 'tls'], [{ hosts: [tag] }]),
  ],
};

// ---- Any custom resource

const anyKey = fc.constantFrom('a', 'b', 'takenAway', 'nested');
// The patch library of the simulated server drops keys named __proto__; `rewrite.test.ts` has them in its round trips.
const anyJson = (fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>).filter(
  (value) => !JSON.stringify(value).includes('__proto__'),
);

export const anyThing: Kind = {
  name: 'Thing',
  schema: { atomicMaps: [] },
  source: manifest(
    'example.com/v1',
    'Thing',
    fc
      .record({
        some: fc.dictionary(anyKey, anyJson),
        list: fc.option(fc.array(anyJson, { maxLength: 4 }), { nil: undefined }),
      })
      .map(({ some, list }) => ({ kept: true, ...(some as JsonMap), ...(list === undefined ? {} : { list }) })),
  ),
  actions: (hash) => gatewayActions('example.com/Thing', hash).filter((action) => 'weight' in action),
  edits: (_object, tag) => [
    ...metadataEdits(tag),
    set('scalar', ['spec', 'a'], tag),
    set('map', ['spec', 'nested'], { deep: { er: tag, empty: {}, none: [] } }),
    set('removed', ['spec', 'b'], undefined),
    set('hidden value', ['spec', 'takenAway'], tag),
    {
      name: 'element',
      apply(object) {
        const list = valueAt(object, ['spec', 'list']);
        return isList(list) ? withPath(object, ['spec', 'list'], [...list, { tag }]) : undefined;
      },
    },
  ],
};

// ---- Service and Deployment

export const service: Kind = {
  name: 'Service',
  schema: { atomicMaps: ['spec.selector'] },
  source: manifest(
    'v1',
    'Service',
    fc.constant({
      selector: { app: 'web' },
      ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }],
      type: 'ClusterIP',
    }),
  ),
  actions: () =>
    ['6d4cf56db6', '7c9f8b7d5f'].map((hash) => ({ type: 'service' as const, selector: { 'pod-template-hash': hash } })),
  edits: (_object, tag) => [
    ...metadataEdits(tag),
    set('type', ['spec', 'type'], 'NodePort'),
    {
      name: 'selector',
      apply: (object) => withPath(object, ['spec', 'selector', 'tier'], tag),
    },
  ],
};

/** k8s.io/kubernetes pkg/apis/apps/v1/defaults.go, as far as rewrites touch it. */
function defaultedDeployment(object: JsonMap): JsonMap {
  const filled = (path: readonly string[], value: Json) => (deployment: JsonMap) =>
    valueAt(deployment, path) === undefined ? withPath(deployment, path, value) : deployment;
  const rolling = (fill: (deployment: JsonMap) => JsonMap) => (deployment: JsonMap) =>
    valueAt(deployment, ['spec', 'strategy', 'type']) === 'RollingUpdate' ? fill(deployment) : deployment;
  return [
    filled(['spec', 'strategy', 'type'], 'RollingUpdate'),
    rolling(filled(['spec', 'strategy', 'rollingUpdate', 'maxSurge'], '25%')),
    rolling(filled(['spec', 'strategy', 'rollingUpdate', 'maxUnavailable'], '25%')),
    filled(['spec', 'progressDeadlineSeconds'], 600),
    filled(['spec', 'revisionHistoryLimit'], 10),
  ].reduce((deployment, fill) => fill(deployment), object);
}

export const deployment: Kind = {
  name: 'Deployment',
  schema: { atomicMaps: [], defaulted: defaultedDeployment },
  source: manifest(
    'apps/v1',
    'Deployment',
    fc
      .record({ strategy: fc.boolean(), deadline: fc.boolean(), ready: fc.boolean() })
      .map(({ strategy, deadline, ready }) => ({
        replicas: 4,
        selector: { matchLabels: { app: 'web' } },
        ...(strategy
          ? { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '50%', maxUnavailable: '10%' } } }
          : {}),
        ...(deadline ? { progressDeadlineSeconds: 300 } : {}),
        ...(ready ? { minReadySeconds: 5 } : {}),
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
      })),
  ),
  actions: () => [
    { type: 'workload', style: 'partition', stable: 'before', paused: true },
    {
      type: 'workload',
      style: 'partition',
      stable: 'before',
      paused: false,
      walk: { maxSurge: '20%', maxUnavailable: 0 },
    },
    {
      type: 'workload',
      style: 'partition',
      stable: 'before',
      paused: true,
      walk: { maxSurge: 0, maxUnavailable: '50%' },
    },
  ],
  edits: (_object, tag) => [
    ...metadataEdits(tag),
    set('replicas', ['spec', 'replicas'], tag.length),
    set('image', ['spec', 'template', 'spec'], { containers: [{ name: 'web', image: `web:${tag}` }] }),
    set('maxSurge', ['spec', 'strategy'], {
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: `${tag.length}%`, maxUnavailable: 1 },
    }),
    set('minReadySeconds', ['spec', 'minReadySeconds'], 7),
    set('deadline removed', ['spec', 'progressDeadlineSeconds'], undefined),
  ],
};

export const kinds: readonly Kind[] = [
  virtualService,
  destinationRule,
  httpRoute,
  openShiftRoute,
  albIngress,
  anyThing,
  service,
  deployment,
];
