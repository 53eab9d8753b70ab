import type { JsonMap } from '../../../src/json/value.ts';
import { RESOURCES, type Resource } from '../../../src/kube/resource.ts';
import { loadLibrary } from '../../../src/lua/library.ts';
import type { Action, GatewayAction } from '../../../src/rewrite/directive.ts';
import { withPath } from '../../api-server/fields.ts';

/** A change that means the same in the user's source and in what a release makes of the object. */
export type Edit = {
  readonly title: string;
  readonly apply: (object: JsonMap) => JsonMap;
  /** True when the step decides the value itself: it is in effect when the release ends. */
  readonly isHidden?: boolean;
};

/** One kind in the matrix: an object as users write it, the steps of a release, and one edit for each moment. */
export type Subject = {
  readonly kind: string;
  readonly resource: Resource;
  /** Without a namespace, as in a repository; defaults are left out. */
  readonly source: JsonMap;
  readonly steps: readonly Action[];
  readonly edits: readonly Edit[];
  /** Where the rewrite of step 1 shows, and what it is there. */
  readonly rewritten: Shown;
  /** The same for step 2, after the edits before it. */
  readonly rewrittenNext: Shown;
  /** The keys of the spec that the original holds; `whole`: it holds spec, labels and annotations. */
  readonly held: readonly string[] | 'whole';
};

export type Shown = { readonly path: readonly (string | number)[]; readonly value: unknown };

const library = loadLibrary();

function script(name: string): { name: string; hash: string } {
  const found = library.scripts.get(name);
  if (found === undefined) throw new Error(`no script ${name}`);
  return { name, hash: found.hash };
}

function gateway(contract: 'custom' | 'ingress', name: string, canaryService = 'web-canary'): readonly Action[] {
  const action: GatewayAction & { type: 'gateway' } = {
    type: 'gateway',
    contract,
    script: script(name),
    routes: [{ stableService: 'web', canaryService }],
  };
  return [
    { ...action, weight: 20 },
    { ...action, matches: [{ headers: [{ type: 'Exact', name: 'x-canary', value: 'yes' }] }] },
  ];
}

export const set = (title: string, path: readonly string[], value: JsonMap[string]): Edit => ({
  title,
  apply: (object) => withPath(object, path, value),
});

export const hidden = (edit: Edit): Edit => ({ ...edit, isHidden: true });

/** Changes the entry of a list whose member `key` is `value`, wherever the list is in this view of the object. */
export function entry(
  title: string,
  list: readonly string[],
  find: (entry: JsonMap) => boolean,
  change: JsonMap,
): Edit {
  return {
    title,
    apply(object) {
      const spec = list.reduce<unknown>((value, key) => (value as JsonMap)[key], object) as JsonMap[];
      const index = spec.findIndex(find);
      if (index < 0) throw new Error(`${title}: there is no such entry`);
      return withPath(
        object,
        list,
        spec.map((each, i) => (i === index ? { ...each, ...change } : each)),
      );
    },
  };
}

const metadata = (name: string): JsonMap => ({
  name,
  labels: { app: name, team: 'shop' },
  annotations: { 'example.com/owner': 'shop' },
});

export const virtualService: Subject = {
  kind: 'VirtualService',
  resource: {
    group: 'networking.istio.io',
    version: 'v1beta1',
    plural: 'virtualservices',
    kind: 'VirtualService',
    namespaced: true,
  },
  source: {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: metadata('web'),
    spec: {
      hosts: ['web.example.com'],
      http: [
        { name: 'api', match: [{ uri: { prefix: '/api' } }], route: [{ destination: { host: 'api' } }] },
        { name: 'web', route: [{ destination: { host: 'web' } }] },
      ],
    },
  },
  steps: gateway('custom', 'networking.istio.io/VirtualService'),
  edits: [
    entry('a timeout of the steered rule', ['spec', 'http'], ({ name }) => name === 'web', { timeout: '5s' }),
    entry('retries of another rule', ['spec', 'http'], ({ name }) => name === 'api', { retries: { attempts: 3 } }),
    set('a label', ['metadata', 'labels', 'tier'], 'front'),
    set('the hosts', ['spec', 'hosts'], ['web.example.com', 'www.example.com']),
  ],
  rewritten: { path: ['spec', 'http', 1, 'route', 0, 'weight'], value: 80 },
  rewrittenNext: { path: ['spec', 'http', 1, 'name'], value: 'web-canary' },
  held: 'whole',
};

export const destinationRule: Subject = {
  kind: 'DestinationRule',
  resource: { ...virtualService.resource, plural: 'destinationrules', kind: 'DestinationRule' },
  source: {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'DestinationRule',
    metadata: metadata('web'),
    spec: { host: 'web', subsets: [{ name: 'base', labels: { version: 'base' } }] },
  },
  steps: gateway('custom', 'networking.istio.io/DestinationRule', 'web').map((action) => ({
    ...(action as GatewayAction & { type: 'gateway' }),
    podMetadata: { labels: { version: 'canary' } },
  })),
  edits: [
    set('a traffic policy', ['spec', 'trafficPolicy'], { loadBalancer: { simple: 'RANDOM' } }),
    entry('a policy of the stable subset', ['spec', 'subsets'], ({ name }) => name === 'base', {
      trafficPolicy: { connectionPool: { tcp: { maxConnections: 10 } } },
    }),
    set('an annotation', ['metadata', 'annotations', 'example.com/note'], 'seen'),
    set('where it is exported', ['spec', 'exportTo'], ['.']),
  ],
  rewritten: { path: ['spec', 'subsets', 1, 'labels', 'version'], value: 'canary' },
  rewrittenNext: { path: ['spec', 'subsets', 1, 'name'], value: 'canary' },
  held: 'whole',
};

export const httpRoute: Subject = {
  kind: 'HTTPRoute',
  resource: {
    group: 'gateway.networking.k8s.io',
    version: 'v1',
    plural: 'httproutes',
    kind: 'HTTPRoute',
    namespaced: true,
  },
  source: {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: metadata('web'),
    spec: {
      parentRefs: [{ name: 'edge' }],
      hostnames: ['web.example.com'],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: '/api' } }],
          backendRefs: [{ name: 'api', port: 80 }],
        },
        { backendRefs: [{ name: 'web', port: 80 }] },
      ],
    },
  },
  steps: gateway('custom', 'gateway.networking.k8s.io/HTTPRoute'),
  edits: [
    entry('a timeout of another rule', ['spec', 'rules'], leadsTo('api'), { timeouts: { request: '5s' } }),
    entry('a timeout of the steered rule', ['spec', 'rules'], leadsTo('web'), { timeouts: { request: '7s' } }),
    set('a label', ['metadata', 'labels', 'tier'], 'front'),
    set('the host names', ['spec', 'hostnames'], ['web.example.com', 'www.example.com']),
  ],
  rewritten: { path: ['spec', 'rules', 1, 'backendRefs', 0, 'weight'], value: 80 },
  rewrittenNext: { path: ['spec', 'rules', 1, 'backendRefs', 0, 'name'], value: 'web-canary' },
  held: 'whole',
};

export function leadsTo(service: string): (rule: JsonMap) => boolean {
  return ({ backendRefs }) => (backendRefs as JsonMap[])[0]?.['name'] === service;
}

export const ingress: Subject = {
  kind: 'Ingress',
  resource: RESOURCES.ingress,
  source: {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: metadata('web'),
    spec: {
      ingressClassName: 'nginx',
      rules: [
        {
          host: 'web.example.com',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
          },
        },
      ],
    },
  },
  steps: gateway('ingress', 'ingress/nginx'),
  edits: [
    set('an annotation', ['metadata', 'annotations', 'example.com/note'], 'seen'),
    set('the TLS secret', ['spec', 'tls'], [{ hosts: ['web.example.com'], secretName: 'web-tls' }]),
    set('a label', ['metadata', 'labels', 'tier'], 'front'),
    set('another class', ['spec', 'ingressClassName'], 'nginx-internal'),
  ],
  rewritten: { path: ['metadata', 'annotations', 'nginx.ingress.kubernetes.io/canary-weight'], value: '20' },
  rewrittenNext: {
    path: ['metadata', 'annotations', 'nginx.ingress.kubernetes.io/canary-by-header'],
    value: 'x-canary',
  },
  held: 'whole',
};

export const service: Subject = {
  kind: 'Service',
  resource: RESOURCES.service,
  source: {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata('web'),
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  },
  steps: [
    { type: 'service', selector: { 'pod-template-hash': 'abc' } },
    { type: 'service', selector: { 'pod-template-hash': 'def' } },
  ],
  edits: [
    set('another port', ['spec', 'ports'], [{ name: 'http', port: 81, targetPort: 8080 }]),
    set('session affinity', ['spec', 'sessionAffinity'], 'ClientIP'),
    set('a label', ['metadata', 'labels', 'tier'], 'front'),
    set('a further selector key', ['spec', 'selector', 'tier'], 'front'),
  ],
  rewritten: { path: ['spec', 'selector', 'pod-template-hash'], value: 'abc' },
  rewrittenNext: { path: ['spec', 'selector', 'pod-template-hash'], value: 'def' },
  held: ['selector'],
};

export const deployment: Subject = {
  kind: 'Deployment',
  resource: RESOURCES.deployment,
  source: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata('web'),
    spec: {
      replicas: 0,
      progressDeadlineSeconds: 300,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'echo:1' }] },
      },
    },
  },
  steps: [
    {
      type: 'workload',
      style: 'partition',
      stable: 'before',
      paused: true,
      walk: { maxSurge: '30%', maxUnavailable: 0 },
    },
    {
      type: 'workload',
      style: 'partition',
      stable: 'before',
      paused: false,
      walk: { maxSurge: '50%', maxUnavailable: '20%' },
    },
  ],
  edits: [
    set('minReadySeconds, which the walk sets', ['spec', 'minReadySeconds'], 15),
    hidden(set('the deadline, which the walk sets', ['spec', 'progressDeadlineSeconds'], 450)),
    set('a label', ['metadata', 'labels', 'tier'], 'front'),
    set('the strategy', ['spec', 'strategy', 'rollingUpdate', 'maxSurge'], 2),
  ],
  rewritten: { path: ['spec', 'minReadySeconds'], value: 2147483646 },
  rewrittenNext: { path: ['spec', 'strategy', 'rollingUpdate', 'maxUnavailable'], value: '20%' },
  held: ['paused', 'strategy', 'minReadySeconds', 'progressDeadlineSeconds', 'revisionHistoryLimit'],
};

export const SUBJECTS = [virtualService, destinationRule, httpRoute, ingress, service, deployment] as const;
