import type { IncomingMessage } from 'node:http';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { isMap, type Json, stringAt } from '../../src/json/value.ts';
import { Client, type KubeObject } from '../../src/kube/client.ts';
import { type Connection, connect } from '../../src/kube/connection.ts';
import { Discovery } from '../../src/kube/discovery.ts';
import { Reflector, type ReflectorOptions } from '../../src/kube/reflector.ts';
import { RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';

const { client, kubeconfig, kubectl, apply, namespace, as, restartApiServer } = cluster();
const textOf = (object: KubeObject): string => stringAt(object, 'data', 'text') ?? '';

function reflect(options: Partial<ReflectorOptions<string>> & { resource?: Resource }): Reflector<string> {
  const reflector = new Reflector({ client, resource: RESOURCES.configMap, trim: textOf, ...options });
  onTestFinished(async () => {
    reflector.close();
    await reflector.finished;
  });
  return reflector;
}

async function put(ns: string, name: string, text: string): Promise<void> {
  const metadata = { namespace: ns, name };
  const options = { fieldManager: 'e2e', force: true };
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text } };
  await client.patch(RESOURCES.configMap, metadata, 'apply', body, options);
}

/** What the API server holds, told by a list. */
async function listed(ns: string): Promise<Record<string, string>> {
  const { items } = await client.list(RESOURCES.configMap, { namespace: ns });
  return Object.fromEntries(items.map((object) => [`${ns}/${stringAt(object, 'metadata', 'name')}`, textOf(object)]));
}

function contents({ store }: Reflector<string>): Record<string, string | undefined> {
  return Object.fromEntries([...store.keys()].map((key) => [key, store.get(key)]));
}

async function isRight(reflector: Reflector<string>, ns: string): Promise<void> {
  await until('the store to be what is stored', async () => {
    expect(contents(reflector)).toEqual(await listed(ns));
    return true;
  });
}

/** A connection whose watches can be cut, and which answers for a server without WatchList where told so. */
function breakable({ withoutWatchList = false } = {}) {
  const whole = connect({ kubeconfig, env: {} });
  const watches = new Set<IncomingMessage>();
  const paths: string[] = [];
  const connection: Connection = {
    ...whole,
    send: async (call) => {
      // An unknown value of the parameter is refused with 422, as the whole parameter is where the feature is off.
      const path = withoutWatchList
        ? call.path.replace('sendInitialEvents=true&resourceVersionMatch=NotOlderThan', 'sendInitialEvents=true')
        : call.path;
      paths.push(path);
      const response = await whole.send({ ...call, path });
      if (path.includes('watch=true')) watches.add(response);
      return response;
    },
  };
  afterAll(() => whole.close());
  const cut = (): void => {
    for (const watch of watches) watch.destroy(new Error('cut by the test'));
    watches.clear();
  };
  return { client: new Client(connection), cut, paths };
}

test.each([
  ['as a watch', false],
  ['in pages', true],
])(
  'a list %s holds every object, and a watch that is cut again and again misses nothing',
  async (_name, withoutWatchList) => {
    const ns = await namespace();
    await Promise.all(Array.from({ length: 60 }, (_, i) => put(ns, `o-${i}`, 'x'.repeat(i * 1000))));
    const { client: broken, cut, paths } = breakable({ withoutWatchList });
    const reflector = reflect({ client: broken, selection: { namespace: ns } });
    await reflector.synced();
    expect(paths.some((path) => path.includes('limit='))).toBe(withoutWatchList);
    expect(contents(reflector)).toEqual(await listed(ns));
    for (let i = 0; i < 30; i++) {
      if (i % 3 === 0) cut();
      await put(ns, `o-${i}`, `changed ${i}`);
      if (i % 5 === 0) await client.delete(RESOURCES.configMap, { namespace: ns, name: `o-${i + 1}` });
    }
    await isRight(reflector, ns);
    expect(reflector.state().state).toBe('synced');
  },
);

test('after a restart of the API server the stores are right, and stay so', async () => {
  const ns = await namespace();
  await put(ns, 'a', '1');
  const reflector = reflect({ selection: { namespace: ns } });
  await reflector.synced();
  const phases: string[] = [];
  reflector.onState(({ state }) => phases.push(state));
  await restartApiServer();
  await put(ns, 'a', '2');
  await put(ns, 'b', '1');
  await isRight(reflector, ns);
  await client.delete(RESOURCES.configMap, { namespace: ns, name: 'a' });
  await isRight(reflector, ns);
  expect(phases).toContain('failing');
  expect(phases.at(-1)).toBe('synced');
});

test('metadata alone comes where only that is asked for', async () => {
  const ns = await namespace();
  await put(ns, 'a', 'not to be sent');
  const seen: Json[] = [];
  const trim = (object: KubeObject): string => {
    seen.push(object);
    return '';
  };
  const reflector = reflect({
    selection: { namespace: ns, fieldSelector: 'metadata.name=a' },
    metadataOnly: true,
    trim,
  });
  await reflector.synced();
  await put(ns, 'a', 'changed');
  await until('the change', () => seen.length === 2);
  for (const object of seen) expect(object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a' } });
  for (const object of seen) expect(isMap(object) && 'data' in object).toBe(false);
});

test('missing rights are a state that names them, and once granted the store fills', async () => {
  const ns = await namespace();
  await put(ns, 'a', '1');
  const connection = connect({ kubeconfig: await as('reader'), env: {} });
  onTestFinished(() => connection.close());
  const reflector = reflect({ client: new Client(connection), selection: { namespace: ns } });
  await until('the refusal', () => reflector.state().state === 'forbidden');
  expect(reflector.state().message).toContain('User "reader" cannot watch resource "configmaps"');
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'reader' } };
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list', 'watch'] }];
  await apply(ns, { ...role, rules });
  succeeded(await kubectl(['create', 'rolebinding', 'reader', '-n', ns, '--role=reader', '--user=reader']));
  await until('the list', () => {
    reflector.retry();
    return reflector.hasSynced();
  });
  await isRight(reflector, ns);
});

/** A CRD of a kind `Thing` in a group of its own, served in two versions, stored in `v2`. */
function thingDefinition(group: string): KubeObject {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  const version = (name: string) => ({ name, served: true, storage: name === 'v2beta1', schema });
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `things.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: [version('v1'), version('v2beta1')],
    },
  };
}

test('a kind whose CRD comes later is found in the version it is stored in, and its reflector fills at once', async () => {
  const ns = await namespace();
  const group = `${ns}.example.com`;
  const resource = { group, version: 'v2beta1', plural: 'things', kind: 'Thing', namespaced: true };
  const definition = RESOURCES.customResourceDefinition;
  const discovery = new Discovery({ client });
  const reflector = reflect({ resource, selection: { namespace: ns }, trim: () => 'thing' });
  discovery.onChange((kind) => kind.group === group && reflector.retry());
  await until('the refusal', () => reflector.state().state === 'notServed');
  expect(await discovery.find(group, 'Thing')).toBeUndefined();

  const started = performance.now();
  await client.create(definition, thingDefinition(group));
  await reflector.synced();
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(await discovery.find(group, 'Thing')).toEqual(resource);
  expect(await discovery.kindOf(group, resource.plural)).toEqual({ group, kind: 'Thing' });
  expect(await discovery.kindOf(group, 'others')).toBeUndefined();
  const metadata = { namespace: ns, name: 'a' };
  await client.create(resource, { apiVersion: `${group}/v2beta1`, kind: 'Thing', metadata });
  await until('the object', () => reflector.store.get(`${ns}/a`) === 'thing');

  await client.delete(definition, { name: `things.${group}` });
  await until('the kind to go', async () => (await discovery.find(group, 'Thing')) === undefined);
  await until('its objects to go', () => reflector.store.size === 0);
  discovery.close();
  await discovery.finished;
});

test('kinds that are built in are found, in their preferred version', async () => {
  const discovery = new Discovery({ client });
  expect(await discovery.find('apps', 'Deployment')).toEqual(RESOURCES.deployment);
  expect(await discovery.find('', 'Service')).toEqual(RESOURCES.service);
  expect(await discovery.find('networking.k8s.io', 'Ingress')).toEqual(RESOURCES.ingress);
  expect(await discovery.find('autoscaling', 'HorizontalPodAutoscaler')).toMatchObject({ version: 'v2' });
  expect(await discovery.find('rbac.authorization.k8s.io', 'ClusterRole')).toEqual(RESOURCES.clusterRole);
  expect(await discovery.find('apps', 'Scale')).toBeUndefined();
  expect(await discovery.find('no.such.group', 'Thing')).toBeUndefined();
  discovery.close();
  await discovery.finished;
});
