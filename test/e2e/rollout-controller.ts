import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import type { Api } from '../../src/controller/api.ts';
import { type Controller, type ControllerOptions, openController } from '../../src/controller/controller.ts';
import { createIsolate } from '../../src/isolate/isolate.ts';
import { at, isList, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { Client } from '../../src/kube/client.ts';
import { type Connection, connect } from '../../src/kube/connection.ts';
import { Discovery } from '../../src/kube/discovery.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { loadLibrary } from '../../src/lua/library.ts';
import { openWatcher } from '../../src/manager/watcher.ts';
import { type Cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';

const ACCOUNT = 'sluice-controller';

/** A controller of Rollouts that works on the real cluster, with the rights of the chart. */
export type Running = {
  readonly controller: Controller;
  /** Every write that it tried, `patch deployments shop/web`. */
  readonly writes: string[];
  readonly events: string[];
  readonly problems: unknown[];
  close(): Promise<void>;
};

/** Installs the CRDs and, in a namespace of its own, the account with the chart's rights; the answer starts controllers. */
export async function controllerIn(cluster: Cluster, namespace: string) {
  const { kubectl, helm } = cluster;
  succeeded(await kubectl(['apply', '--server-side', '--force-conflicts', '-f', join('chart', 'files', 'crds')]));
  succeeded(await kubectl(['create', 'serviceaccount', ACCOUNT, '-n', namespace]));
  const rendered = succeeded(
    await helm(['template', 'sluice', 'chart', '-n', namespace, '--kube-version', '1.36', ...RIGHTS]),
  );
  succeeded(await kubectl(['apply', '-f', '-'], { stdin: rendered }));
  afterAll(() => kubectl(['delete', '--ignore-not-found', '-f', '-'], { stdin: rendered }));
  const kubeconfig = await cluster.as(`system:serviceaccount:${namespace}:${ACCOUNT}`);
  return (options: Partial<Pick<ControllerOptions, 'settings'>> & { around?: (api: Api) => Api } = {}): Running =>
    start(connect({ kubeconfig, env: {}, userAgent: ACCOUNT }), namespace, options);
}

const RIGHTS = ['rbac-controller', 'rbac-users'].flatMap((name) => ['--show-only', `templates/${name}.yaml`]);

function start(
  connection: Connection,
  namespace: string,
  {
    settings = {},
    around = (api) => api,
  }: Partial<Pick<ControllerOptions, 'settings'>> & { around?: (api: Api) => Api },
): Running {
  const client = new Client(connection);
  const writes: string[] = [];
  const events: string[] = [];
  const problems: unknown[] = [];
  const isolate = createIsolate();
  const discovery = new Discovery({ client });
  const log = (...entry: unknown[]) => problems.push(entry);
  const controller = openController({
    api: counted(around(client), writes),
    watcher: openWatcher(client, discovery, (error) => problems.push(error)),
    library: loadLibrary(),
    guard: { excludedNamespaces: new Set(), calling: () => 'called', onCalling: () => () => undefined },
    isolate,
    event: ({ kind, namespace: place, name }, { type, reason, note }) =>
      events.push(`${type} ${reason} ${kind} ${place}/${name}: ${note}`),
    log: { info: () => undefined, warn: log, error: log },
    namespace,
    settings,
  });
  controller.considerKinds([]);
  return {
    ...{ controller, writes, events, problems },
    async close() {
      await controller.close();
      discovery.close();
      await isolate.close();
      connection.close();
    },
  };
}

/** The same API, with a note of each write. */
function counted(api: Api, writes: string[]): Api {
  const note = (verb: string, plural: string, namespace = '', name = '') =>
    writes.push(`${verb} ${plural} ${namespace}/${name}`);
  return {
    get: (...args) => api.get(...args),
    listAll: (...args) => api.listAll(...args),
    create(resource, object, options) {
      const [namespace, name] = ['namespace', 'name'].map((key) => stringAt(object, 'metadata', key));
      note('create', resource.plural, namespace, name);
      return api.create(resource, object, options);
    },
    patch(resource, name, form, body, options) {
      const version = stringAt(body, 'metadata', 'resourceVersion');
      if (version === undefined) throw new Error(`a fenced write says what it was computed from: ${resource.plural}`);
      note('patch', resource.plural, name.namespace, name.name);
      return api.patch(resource, name, form, body, options);
    },
    delete(resource, name, preconditions, signal) {
      note('delete', resource.plural, name.namespace, name.name);
      return api.delete(resource, name, preconditions, signal);
    },
  };
}

/** Waits until a condition of a Rollout is so, and gives its message; an error shows the status as it was. */
export async function becomes(
  { client }: Cluster,
  namespace: string,
  type: string,
  status: string,
  reason: string,
  name = 'web',
): Promise<string> {
  let last: Json | undefined;
  try {
    return await until(`${type} of Rollout ${name} to be ${status} ${reason}`, async () => {
      last = at(await client.get(RESOURCES.rollout, { namespace, name }), ['status']);
      const list = at(last, ['conditions']);
      const found = (isList(list) ? list : []).find((entry) => stringAt(entry, 'type') === type);
      const isSo = stringAt(found, 'status') === status && stringAt(found, 'reason') === reason;
      return isSo ? (stringAt(found, 'message') ?? '') : undefined;
    });
  } catch (error) {
    expect.fail(`${String(error)}: ${JSON.stringify(last, null, 1)}`);
  }
}

/** Waits until a controller has nothing left to do. */
export async function atRest({ controller, writes }: Running): Promise<void> {
  await controller.ready;
  let [before, still] = [-1, 0];
  await until('the controller to have nothing left to do', () => {
    const { ready, working } = controller.queueSize();
    still = ready + working === 0 && writes.length === before ? still + 1 : 0;
    before = writes.length;
    return still >= 10;
  });
}

export function deployment(name = 'web'): JsonMap {
  const labels = { app: name };
  const containers = [{ name: 'web', image: 'web:1' }];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  };
}

export function service(name = 'web'): JsonMap {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80 }] },
  };
}

export function ingress(leadsTo = 'web'): JsonMap {
  const backend = { service: { name: leadsTo, port: { number: 80 } } };
  const rule = { host: 'web.example.com', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web' },
    spec: { ingressClassName: 'nginx', rules: [rule] },
  };
}

/** A Rollout of Deployment `web` through Service `web` and one gateway object. */
export function rollout(
  routing: JsonMap = { ingress: { name: 'web', classType: 'nginx' } },
  spec: JsonMap = {},
): JsonMap {
  return {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'web' },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      strategy: {
        canary: {
          steps: [{ traffic: '20%', replicas: '20%' }, { replicas: '100%' }],
          trafficRoutings: [{ service: 'web', ...routing }],
        },
      },
      ...spec,
    },
  };
}

/** A namespaced kind whose objects may hold anything. */
export function definition(group: string, kind: string): JsonMap {
  const plural = `${kind.toLowerCase()}s`;
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
}
