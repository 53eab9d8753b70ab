import { isList, isMap, type Json, type JsonMap } from '../../../src/json/value.ts';
import { valueAt, withPath } from '../../api-server/fields.ts';
import {
  deployment,
  destinationRule,
  type Edit,
  entry,
  hidden,
  httpRoute,
  ingress,
  leadsTo,
  type Subject,
  service,
  set,
  virtualService,
} from './objects.ts';

/** Edits at the very places that the rewrite of a kind changes, in the order in which they are made. */
export type Meeting = {
  readonly subject: Subject;
  readonly before: readonly Edit[];
  /** In step 1 and in step 2; each means the same in the source and in what the step makes of it. */
  readonly inStep: readonly [readonly Edit[], readonly Edit[]];
  /** In each step, something that the rewrite decides, set by hand. */
  readonly byHand: readonly [Edit, Edit?];
};

type Find = (element: JsonMap) => boolean;

const named =
  (name: string): Find =>
  (element) =>
    element['name'] === name;

function list(title: string, path: readonly string[], change: (elements: readonly JsonMap[]) => JsonMap[]): Edit {
  const apply = (object: JsonMap) => withPath(object, path, change(elementsAt(object, path)));
  return { title, apply };
}

/** Changes the list `key` in the one element of another list. */
function inner(
  title: string,
  path: readonly string[],
  find: Find,
  key: string,
  change: (elements: readonly JsonMap[]) => JsonMap[],
): Edit {
  return list(title, path, (elements) => {
    if (elements.filter(find).length !== 1) throw new Error(`${title}: there is not one such element`);
    return elements.map((each) => (find(each) ? { ...each, [key]: change(elementsAt(each, [key])) } : each));
  });
}

function elementsAt(object: JsonMap, path: readonly string[]): readonly JsonMap[] {
  const elements = valueAt(object, path);
  if (!isList(elements)) throw new Error(`${path.join('.')} is no list`);
  return elements.filter(isMap);
}

const without = (title: string, path: readonly string[]): Edit => ({
  title,
  apply: (object) => withPath(object, path, undefined),
});

const above = (find: Find, added: JsonMap) => (elements: readonly JsonMap[]) =>
  elements.flatMap((each) => (find(each) ? [added, each] : [each]));

const below = (find: Find, added: JsonMap) => (elements: readonly JsonMap[]) =>
  elements.flatMap((each) => (find(each) ? [each, added] : [each]));

const first = (find: Find) => (elements: readonly JsonMap[]) => [
  ...elements.filter(find),
  ...elements.filter((each) => !find(each)),
];

const either =
  (one: Find, other: Find): Find =>
  (element) =>
    one(element) || other(element);

const gone = (find: Find) => (elements: readonly JsonMap[]) => elements.filter((each) => !find(each));

const some = (find: Find, change: JsonMap) => (elements: readonly JsonMap[]) =>
  elements.map((one) => (find(one) ? { ...one, ...change } : one));

const HTTP = ['spec', 'http'];
const to =
  (host: string): Find =>
  ({ destination }) =>
    isMap(destination) && destination['host'] === host;

const rule: JsonMap = {
  name: 'admin',
  match: [{ uri: { prefix: '/admin' } }],
  route: [{ destination: { host: 'admin' } }],
};

const virtualServices: Meeting = {
  subject: virtualService,
  before: [entry('a weight', HTTP, named('web'), { route: [{ destination: { host: 'web' }, weight: 100 }] })],
  inStep: [
    [
      list('a new rule above the steered one', HTTP, above(named('web'), rule)),
      inner(
        'another destination in the steered rule',
        HTTP,
        named('web'),
        'route',
        below(to('web'), { destination: { host: 'legacy' }, weight: 0 }),
      ),
      list('the new rule first', HTTP, first(named('admin'))),
    ],
    [
      list('rules in another order', HTTP, first(named('api'))),
      list('a rule taken out', HTTP, gone(named('admin'))),
      entry('a timeout of the rule that the step copies', HTTP, named('web'), { timeout: '7s' }),
    ],
  ],
  byHand: [
    inner('weights', HTTP, named('web'), 'route', some(either(to('web'), to('web-canary')), { weight: 50 })),
    list('the canary rule taken out', HTTP, gone(named('web-canary'))),
  ],
};

const SUBSETS = ['spec', 'subsets'];

const destinationRules: Meeting = {
  subject: destinationRule,
  before: [],
  inStep: [
    [
      list('a new subset above', SUBSETS, above(named('base'), { name: 'blue', labels: { version: 'blue' } })),
      list('subsets in another order', SUBSETS, first(named('base'))),
    ],
    [
      entry('other labels of a subset', SUBSETS, named('base'), { labels: { version: 'base', tier: 'front' } }),
      list('a subset taken out', SUBSETS, gone(named('blue'))),
    ],
  ],
  byHand: [
    entry('the labels of the canary subset', SUBSETS, named('canary'), { labels: { version: 'other' } }),
    list('the canary subset taken out', SUBSETS, gone(named('canary'))),
  ],
};

const RULES = ['spec', 'rules'];

const httpRoutes: Meeting = {
  subject: httpRoute,
  before: [],
  inStep: [
    [
      list(
        'a new rule above the steered one',
        RULES,
        above(leadsTo('web'), {
          matches: [{ path: { type: 'PathPrefix', value: '/admin' } }],
          backendRefs: [{ name: 'admin', port: 80 }],
        }),
      ),
      inner(
        'another backend in the steered rule',
        RULES,
        leadsTo('web'),
        'backendRefs',
        below(named('web'), { name: 'legacy', port: 80, weight: 0 }),
      ),
      list('the new rule first', RULES, first(leadsTo('admin'))),
    ],
    [
      list('rules in another order', RULES, first(leadsTo('api'))),
      list('a rule taken out', RULES, gone(leadsTo('admin'))),
      entry('a timeout of the rule that the step copies', RULES, leadsTo('web'), { timeouts: { request: '7s' } }),
    ],
  ],
  byHand: [
    inner(
      'weights',
      RULES,
      leadsTo('web'),
      'backendRefs',
      some(either(named('web'), named('web-canary')), { weight: 50 }),
    ),
    list('the canary rule taken out', RULES, gone(leadsTo('web-canary'))),
  ],
};

const NGINX = (key: string) => ['metadata', 'annotations', `nginx.ingress.kubernetes.io/${key}`];
const at =
  (path: string): Find =>
  (element) =>
    element['path'] === path;

/** Changes the paths of the only host. */
function paths(title: string, change: (elements: readonly JsonMap[]) => JsonMap[]): Edit {
  return list(title, RULES, (rules) =>
    rules.map((one) => ({ ...one, http: { paths: change(elementsAt(one, ['http', 'paths'])) } })),
  );
}

function path(prefix: string): JsonMap {
  const backend: Json = { service: { name: 'web', port: { number: 80 } } };
  return { path: prefix, pathType: 'Prefix', backend };
}

const ingresses: Meeting = {
  subject: ingress,
  before: [],
  inStep: [
    [
      paths('a new path', below(at('/'), path('/shop'))),
      paths('paths in another order', first(at('/shop'))),
      without('an annotation taken out', ['metadata', 'annotations', 'example.com/owner']),
    ],
    [paths('a path taken out', gone(at('/shop'))), set('an annotation of nginx', NGINX('rewrite-target'), '/')],
  ],
  byHand: [
    set('the weight', NGINX('canary-weight'), '50'),
    without('the condition of the canary taken out', NGINX('canary-by-header')),
  ],
};

const PORTS = ['spec', 'ports'];

const services: Meeting = {
  subject: service,
  before: [],
  inStep: [
    [
      list('a new port', PORTS, below(named('http'), { name: 'admin', port: 82, targetPort: 8082 })),
      list('ports in another order', PORTS, first(named('admin'))),
      set('a new key of the selector', ['spec', 'selector', 'tier'], 'front'),
    ],
    [
      list('a port taken out', PORTS, gone(named('admin'))),
      set('another value in the selector', ['spec', 'selector', 'tier'], 'back'),
    ],
  ],
  byHand: [
    set('the key that the step adds to the selector', ['spec', 'selector', 'pod-template-hash'], 'other'),
    without('the key of the step taken out of the selector', ['spec', 'selector', 'pod-template-hash']),
  ],
};

const CONTAINERS = ['spec', 'template', 'spec', 'containers'];

const deployments: Meeting = {
  subject: deployment,
  // Pods of the test may wait for ever.
  before: [set('a node that is nowhere', ['spec', 'template', 'spec', 'nodeSelector'], { nowhere: 'yes' })],
  inStep: [
    [
      entry('an environment of the template', CONTAINERS, named('web'), { env: [{ name: 'A', value: '1' }] }),
      set('replicas while it is held', ['spec', 'replicas'], 2),
      hidden(set('fewer revisions to keep', ['spec', 'revisionHistoryLimit'], 3)),
    ],
    [
      set('replicas while it walks', ['spec', 'replicas'], 3),
      hidden(set('maxSurge of the strategy', ['spec', 'strategy', 'rollingUpdate', 'maxSurge'], 2)),
      hidden(set('minReadySeconds', ['spec', 'minReadySeconds'], 5)),
      hidden(set('paused', ['spec', 'paused'], true)),
      // Another version in a release pauses it, so that nobody could see the pause of its owner.
      entry('another image', CONTAINERS, named('web'), { image: 'echo:2' }),
    ],
  ],
  byHand: [set('paused taken away', ['spec', 'paused'], false)],
};

export const MEETINGS = [virtualServices, destinationRules, httpRoutes, ingresses, services, deployments] as const;
