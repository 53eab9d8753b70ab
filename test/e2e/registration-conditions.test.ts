import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { Client } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { joinedConditions } from '../../src/registration/match-conditions.ts';
import { readTemplates } from '../../src/registration/templates.ts';
import { issueLocal, validFor } from '../../src/tls/generate.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';

/**
 * The matchConditions of every entry, evaluated by the real API server: copies of each entry, with policy `Fail` and for more
 * operations and kinds than the real one, call a small webhook that notes who was called. An expression that cannot be
 * evaluated would refuse the write. One copy has the conditions as the templates have them, where the API server
 * evaluates each on every write; the other has them as they are installed, in one.
 */

const DIRECTIVE = 'directive.sluice.dev/demo';
const ORIGINAL = 'rollouts.kruise.io/original-spec-configuration';
const RESCUE = 'sluice.dev/rescue';
const FLOOR = 'sluice.dev/floor';
const WANTED = 'deployment.kubernetes.io/desired-replicas';
const CONTROLLER = 'system:serviceaccount:sluice-system:sluice-controller';
const GROUP = 'conditions.example.com';
const THING: Resource = { group: GROUP, version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };

const CONFIGURATION = 'registration-conditions-test';

const FORMS = ['each', 'joined'] as const;
type Form = (typeof FORMS)[number];

const { client, kubectl, namespace: newNamespace, kubeconfig } = cluster();
let server: Server;
let namespace = '';
const called = new Set<string>();

type Rule = { apiGroups: string[]; resources: string[] };
const things: Rule = { apiGroups: [GROUP], resources: ['things'] };
const deployments: Rule = { apiGroups: ['apps'], resources: ['deployments'] };
const replicaSets: Rule = { apiGroups: ['apps'], resources: ['replicasets', 'replicasets/scale'] };
const gateways: Rule[] = [
  { apiGroups: [''], resources: ['services'] },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses'] },
];
/** Which kinds the copy of an entry sees. */
const RULES: Readonly<Record<string, readonly Rule[]>> = {
  'gateways.sluice.dev': [...gateways, things],
  'workloads.sluice.dev': [deployments, things],
  'status.sluice.dev': [deployments, ...gateways, things].map(({ apiGroups, resources }) => ({
    apiGroups,
    resources: resources.flatMap((resource) => [resource, `${resource}/status`]),
  })),
  'holds.sluice.dev': [deployments, things],
  'floors.sluice.dev': [replicaSets, things],
  'pods.sluice.dev': [{ apiGroups: [''], resources: ['pods'] }, things],
  'rollouts.sluice.dev': [things],
  'rollout-status.sluice.dev': [{ apiGroups: [GROUP], resources: ['things/status'] }],
};
/** The entries that are called for an object that is created with an original. */
const FOR_CREATED = ['gateways', 'workloads', 'rollouts'];

beforeAll(async () => {
  const { authority, serving } = await issueLocal(['127.0.0.1'], validFor(1, new Date(Date.now() - 60_000)));
  server = createServer({ cert: serving.certificate, key: serving.key }, (request, response) => {
    void text(request).then((body) => {
      const { request: asked } = JSON.parse(body) as { request: { uid: string; userInfo: { username: string } } };
      // The cluster's own controllers write, too; what they read a moment ago may lack our annotations.
      const { username } = asked.userInfo;
      if (!username.startsWith('system:') || username === CONTROLLER)
        called.add(new URL(request.url ?? '/', 'https://copies').pathname.slice(1));
      const answer = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ...answer, response: { uid: asked.uid, allowed: true } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  namespace = await newNamespace();
  await installThings();
  await installCopies((server.address() as AddressInfo).port, authority.certificate);
});

afterAll(async () => {
  await kubectl(['delete', 'mutatingwebhookconfiguration', CONFIGURATION, '--ignore-not-found']);
  await kubectl(['delete', 'crd', `things.${GROUP}`, '--ignore-not-found', '--wait=false']);
  server?.closeAllConnections();
  server?.close();
});

async function installThings(): Promise<void> {
  const names = { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' };
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  const version = { name: 'v1', served: true, storage: true, subresources: { status: {} }, schema };
  await client.create(RESOURCES.customResourceDefinition, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `things.${GROUP}` },
    spec: { group: GROUP, scope: 'Namespaced', names, versions: [version] },
  });
  await until('the kind Thing', async () => (await client.list(THING, { namespace })).items.length === 0);
}

async function installCopies(port: number, authority: string): Promise<void> {
  const webhooks = readTemplates()
    .flatMap(({ entries }) => entries)
    .flatMap(({ webhook }) => {
      const name = stringAt(webhook, 'name') ?? '';
      const rules = RULES[name];
      if (rules === undefined) throw new Error(`${name} is a new entry: say here which writes it has to be tried with`);
      const conditions = webhook['matchConditions'] ?? [];
      const forms: Readonly<Record<Form, Json>> = {
        each: conditions,
        joined: joinedConditions(conditions, 'sluice-system'),
      };
      return FORMS.map((form) => ({
        name: `${form}.${name}`,
        clientConfig: {
          url: `https://127.0.0.1:${port}/${name}/${form}`,
          caBundle: Buffer.from(authority).toString('base64'),
        },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
        timeoutSeconds: 5,
        rules: rules.map((rule) => ({ ...rule, apiVersions: ['v1'], operations: ['CREATE', 'UPDATE', 'DELETE'] })),
        matchConditions: forms[form],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      }));
    });
  await client.create(RESOURCES.mutatingWebhookConfiguration, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: CONFIGURATION },
    webhooks,
  });
  // API servers learn of a configuration by a watch.
  await until('the copies to be called', async () => {
    await client.create(THING, thing('probe', { [ORIGINAL]: '{}' }), { dryRun: true });
    return called.size === FORMS.length * FOR_CREATED.length;
  });
}

function thing(name: string, annotations?: JsonMap, more: JsonMap = {}): JsonMap {
  const metadata = { name, namespace, ...(annotations === undefined ? {} : { annotations }) };
  return { apiVersion: `${GROUP}/v1`, kind: 'Thing', metadata, ...more };
}

function deployment(name: string): JsonMap {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'example.com/web:1' }] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  };
}

/** A write, and the entries that have to be called for it. */
type Step = readonly [what: string, write: () => Promise<unknown>, entries: readonly string[]];

/** Makes the writes one after the other. Each must succeed: an evaluation error refuses it. */
async function follow(steps: readonly Step[]): Promise<void> {
  const seen: [string, string[]][] = [];
  for (const [what, write] of steps) {
    called.clear();
    await write().catch((cause: unknown) => {
      throw new Error(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    });
    seen.push([what, [...called].sort()]);
  }
  const copies = (entries: readonly string[]) =>
    entries.flatMap((entry) => FORMS.map((form) => `${entry}.sluice.dev/${form}`)).sort();
  expect(seen).toEqual(steps.map(([what, _, entries]) => [what, copies(entries)]));
}

const annotate = (annotations: JsonMap) => ({ metadata: { annotations } });

beforeEach(() => called.clear());

describe('a Deployment', () => {
  const patch = (body: Json, form: 'merge' | 'json' = 'merge') =>
    client.patch(RESOURCES.deployment, { namespace, name: 'web' }, form, body);
  const status = (body: Json) =>
    client.patch(RESOURCES.deployment, { namespace, name: 'web' }, 'merge', body, { subresource: 'status' });
  const scale = (replicas: number) =>
    client.patch(
      RESOURCES.deployment,
      { namespace, name: 'web' },
      'merge',
      { spec: { replicas } },
      { subresource: 'scale' },
    );
  const image = (tag: string) => ({
    spec: { template: { spec: { containers: [{ name: 'web', image: `example.com/web:${tag}` }] } } },
  });

  test('is asked about only while it is armed and its template changes, or while it is in a release', () =>
    follow([
      ['created without annotations', () => client.create(RESOURCES.deployment, deployment('web')), []],
      ['a new template, taking no part', () => patch(image('2')), ['holds']],
      ['scaled, taking no part', () => patch({ spec: { replicas: 1 } }), []],
      ['labelled by somebody', () => patch({ metadata: { labels: { team: 'a' } } }), []],
      ['armed', () => patch(annotate({ [DIRECTIVE]: 'armed' })), ['workloads', 'status']],
      ['scaled by its scale subresource, armed', () => scale(2), []],
      ['scaled in its spec, armed', () => patch({ spec: { replicas: 3 } }), []],
      ['its strategy changed, armed', () => patch({ spec: { minReadySeconds: 5 } }), []],
      ["others' annotations changed, armed", () => patch(annotate({ team: 'b' })), []],
      ['labels taken away, armed', () => patch([{ op: 'remove', path: '/metadata/labels' }], 'json'), []],
      ['its status written, armed', () => status({ status: { observedGeneration: 1 } }), []],
      ["others' annotations changed through status, armed", () => status(annotate({ revision: '7' })), []],
      ['a directive forged through status', () => status(annotate({ [DIRECTIVE]: 'forged' })), ['status']],
      ['an original forged through status', () => status(annotate({ [ORIGINAL]: '{}' })), ['status']],
      ['the forged original taken away', () => status(annotate({ [ORIGINAL]: null })), ['status']],
      ['a new template, armed', () => patch(image('3')), ['workloads']],
      ['put into a release', () => patch(annotate({ [ORIGINAL]: '{}' })), ['workloads', 'status']],
      ['scaled in its spec, in a release', () => patch({ spec: { replicas: 0 } }), ['workloads']],
      ['scaled by its scale subresource, in a release', () => scale(1), []],
      ["others' annotations changed, in a release", () => patch(annotate({ team: 'c' })), ['workloads']],
      ['given a finalizer, in a release', () => patch({ metadata: { finalizers: ['example.com/wait'] } }), []],
      ['its status written, in a release', () => status({ status: { observedGeneration: 2 } }), []],
      ['written without a change', () => patch({ spec: { replicas: 1 } }), []],
      [
        'all annotations taken away, in a release',
        () => patch([{ op: 'remove', path: '/metadata/annotations' }], 'json'),
        ['workloads', 'status'],
      ],
      ['put back', () => patch(annotate({ [DIRECTIVE]: 'x', [ORIGINAL]: '{}' })), ['workloads', 'status', 'holds']],
      [
        'deleted, with a finalizer',
        () => client.delete(RESOURCES.deployment, { namespace, name: 'web' }),
        ['workloads'], // the copies alone are called for DELETE: object is null there
      ],
      ['its finalizer taken away while it goes', () => patch({ metadata: { finalizers: null } }), []],
    ]));

  test('that was exported in a release and is created again is asked about', () =>
    follow([
      [
        'created with annotations of ours',
        () => {
          const saved = deployment('saved');
          const metadata = { name: 'saved', namespace, annotations: { [DIRECTIVE]: 'x', [ORIGINAL]: '{}' } };
          return client.create(RESOURCES.deployment, { ...saved, metadata });
        },
        ['workloads'],
      ],
    ]));
});

describe('a ReplicaSet', () => {
  const name = { namespace: '', name: 'web-1' };
  const REPLICA_SET: Resource = { ...RESOURCES.deployment, plural: 'replicasets', kind: 'ReplicaSet' };
  const at = () => ({ ...name, namespace });
  const set = (): JsonMap => {
    const { spec } = deployment('web-1');
    return { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: at(), spec: { ...(spec as JsonMap), replicas: 2 } };
  };
  const patch = (body: Json, by = client) => by.patch(REPLICA_SET, at(), 'merge', body);
  const scaled = (replicas: number, annotations: JsonMap = {}) => ({ metadata: { annotations }, spec: { replicas } });

  test('is asked about only while it has a floor and sinks, though pods are wanted', async () => {
    succeeded(await kubectl(['create', 'role', 'scaler', '-n', namespace, '--verb=*', '--resource=replicasets.apps']));
    const binding = ['create', 'rolebinding', 'scaler', '-n', namespace, '--role=scaler', `--user=${CONTROLLER}`];
    succeeded(await kubectl(binding));
    const connection = connect({ kubeconfig, env: {}, impersonate: { user: CONTROLLER } });
    const controller = new Client(connection);
    try {
      await follow([
        ['created without annotations', () => client.create(REPLICA_SET, set()), []],
        ['scaled to nothing, without a floor', () => patch(scaled(0)), []],
        ['scaled up, given a floor', () => patch(scaled(2, { [FLOOR]: '1/4' })), []],
        ['scaled down', () => patch(scaled(1)), ['floors']],
        ['scaled to nothing', () => patch(scaled(0, { [WANTED]: '4' })), ['floors']],
        ['written again with no pod', () => patch(annotate({ team: 'a' })), []],
        ['scaled up', () => patch(scaled(1, { [WANTED]: null })), []],
        ['scaled to nothing as the Deployment is', () => patch(scaled(0, { [WANTED]: '0' })), []],
        ['scaled up again', () => patch(scaled(1, { [WANTED]: null })), []],
        ['scaled to nothing by our controller', () => patch(scaled(0), controller), []],
        ['scaled up by our controller', () => patch(scaled(1), controller), []],
        [
          'scaled to nothing by its scale subresource, which has no annotations',
          () => client.patch(REPLICA_SET, at(), 'merge', scaled(0), { subresource: 'scale' }),
          [],
        ],
        ['scaled up once more', () => patch(scaled(1)), []],
        ['scaled to nothing, deprived of its floor', () => patch(scaled(0, { [FLOOR]: null })), ['floors']],
        ['given a finalizer and a floor', () => patch({ metadata: { finalizers: ['example.com/wait'] } }), []],
        ['scaled up the last time', () => patch(scaled(1, { [FLOOR]: '1/4' })), []],
        ['deleted', () => client.delete(REPLICA_SET, at()), []],
        ['scaled to nothing while it goes', () => patch(scaled(0)), []],
        ['its finalizer taken away while it goes', () => patch({ metadata: { finalizers: null } }), []],
      ]);
    } finally {
      connection.close();
    }
  });
});

describe('a pod', () => {
  const HASH = { 'pod-template-hash': '1' };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'set', controller: true };
  const made = (metadata: JsonMap) => () => {
    const spec = { containers: [{ name: 'web', image: 'example.com/web:1' }] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { generateName: 'web-', namespace, ...metadata }, spec };
    return client.create(RESOURCES.pod, pod, { dryRun: true });
  };

  test('is asked about only if a ReplicaSet of a Deployment makes it', () =>
    follow([
      ['made by hand', made({}), []],
      ['made by hand with the label', made({ labels: HASH }), []],
      ['of a ReplicaSet without a Deployment', made({ labels: { app: 'web' }, ownerReferences: [owner] }), []],
      ['without labels', made({ ownerReferences: [owner] }), []],
      ['of a Job', made({ labels: HASH, ownerReferences: [{ ...owner, apiVersion: 'batch/v1', kind: 'Job' }] }), []],
      [
        'held by a set that does not control it',
        made({ labels: HASH, ownerReferences: [{ ...owner, controller: false }] }),
        [],
      ],
      [
        'held by a set, nothing said of control',
        made({ labels: HASH, ownerReferences: [without(owner, 'controller')] }),
        [],
      ],
      ['of a ReplicaSet of a Deployment', made({ labels: HASH, ownerReferences: [owner] }), ['pods']],
    ]));
});

function without(map: JsonMap, key: string): JsonMap {
  const { [key]: _, ...rest } = map;
  return rest;
}

describe('a gateway object', () => {
  const ingress = (metadata: JsonMap) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace, ...metadata },
    spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  });
  const at = { name: 'web' };
  const patch = (body: Json) => client.patch(RESOURCES.ingress, { namespace, ...at }, 'merge', body);
  const status = (body: Json) =>
    client.patch(RESOURCES.ingress, { namespace, ...at }, 'merge', body, { subresource: 'status' });

  test('is asked about only while it takes part, and something of it changes', () =>
    follow([
      ['created without annotations', () => client.create(RESOURCES.ingress, ingress({})), []],
      ['edited, taking no part', () => patch({ spec: { ingressClassName: 'nginx' } }), []],
      ['given a directive', () => patch(annotate({ [DIRECTIVE]: 'x' })), ['gateways', 'status']],
      ['edited, in a release', () => patch({ spec: { ingressClassName: 'alb' } }), ['gateways']],
      ['given an original', () => patch(annotate({ [ORIGINAL]: '{}' })), ['gateways', 'status']],
      ["others' annotations changed", () => patch(annotate({ team: 'a' })), ['gateways']],
      ['labelled', () => patch({ metadata: { labels: { team: 'a' } } }), ['gateways']],
      ['given an owner', () => patch({ metadata: { finalizers: ['example.com/wait'] } }), []],
      [
        'its address written to status',
        () => status({ status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }),
        [],
      ],
      ['a forged directive in status', () => status(annotate({ [DIRECTIVE]: 'forged' })), ['status']],
      ['its directive taken away', () => patch(annotate({ [DIRECTIVE]: null })), ['gateways', 'status']],
      ['its original taken away', () => patch(annotate({ [ORIGINAL]: null })), ['gateways', 'status']],
      ['edited after the release', () => patch({ spec: { ingressClassName: 'nginx' } }), []],
      ['deleted', () => client.delete(RESOURCES.ingress, { namespace, ...at }), []],
      ['its finalizer taken away while it goes', () => patch({ metadata: { finalizers: null } }), []],
    ]));

  test('of a Service is asked about in the same way', async () => {
    const name = { namespace, name: 'web' };
    const service = { apiVersion: 'v1', kind: 'Service', metadata: name, spec: { ports: [{ port: 80 }] } };
    const write = (body: Json) => client.patch(RESOURCES.service, name, 'merge', body);
    await follow([
      ['created without selector and annotations', () => client.create(RESOURCES.service, service), []],
      ['given a selector, taking no part', () => write({ spec: { selector: { app: 'web' } } }), []],
      ['given a directive', () => write(annotate({ [DIRECTIVE]: 'x' })), ['gateways', 'status']],
      ['given a selector, in a release', () => write({ spec: { selector: { app: 'other' } } }), ['gateways']],
      ['deleted', () => client.delete(RESOURCES.service, name), ['gateways']],
    ]);
  });
});

describe('objects of any shape', () => {
  const patch = (name: string, body: Json, form: 'merge' | 'json' = 'merge') =>
    client.patch(THING, { namespace, name }, form, body);
  const remove = (name: string) => client.delete(THING, { namespace, name });
  const ALL = ['gateways', 'workloads', 'status', 'rollouts'];

  test.each<[string, JsonMap]>([
    ['no spec', {}],
    ['an empty spec', { spec: {} }],
    ['a spec without a template', { spec: { replicas: 1 } }],
    ['an empty template', { spec: { template: {} } }],
    ['a spec that is a list', { spec: [1, 2] }],
    ['data beside the spec', { data: { a: 'b' } }],
  ])('with %s are evaluated without an error, taking part or not', async (shape, more) => {
    const name = shape.replaceAll(' ', '-');
    await follow([
      ['created', () => client.create(THING, thing(name, undefined, more)), ['rollouts']],
      ['written without a change', () => patch(name, {}), []],
      ['given annotations', () => patch(name, annotate({ team: 'a' })), ['rollouts']],
      ['given labels', () => patch(name, { metadata: { labels: { team: 'a' } } }), ['rollouts']],
      ['deprived of annotations', () => patch(name, { metadata: { annotations: null } }), ['rollouts']],
      ['deprived of labels', () => patch(name, { metadata: { labels: null } }), ['rollouts']],
      ['given a floor', () => patch(name, annotate({ [FLOOR]: '1/4' })), ['rollouts']],
      ['given no pod', () => patch(name, { spec: { replicas: 0 } }), ['floors', 'rollouts']],
      ['deprived of its floor', () => patch(name, annotate({ [FLOOR]: null })), ['rollouts']],
      ['given a template', () => patch(name, { spec: { template: { a: 1 } } }), ['holds', 'rollouts']],
      ['deprived of its template', () => patch(name, { spec: { template: null } }), ['rollouts']],
      ['deprived of its spec', () => patch(name, { spec: null }), ['rollouts']],
      ['deleted', () => remove(name), ['rollouts']],
      [
        'created with our annotations',
        () => client.create(THING, thing(name, { [DIRECTIVE]: 'x' }, more)),
        ['gateways', 'workloads', 'rollouts'],
      ],
      ['given an original', () => patch(name, annotate({ [ORIGINAL]: '{}' })), ALL],
      ['given a spec', () => patch(name, { spec: { template: { a: 1 } } }), ['gateways', 'workloads', 'rollouts']],
      ['deprived of its spec', () => patch(name, { spec: null }), ['gateways', 'workloads', 'rollouts']],
      [
        'deprived of all annotations',
        () => patch(name, [{ op: 'remove', path: '/metadata/annotations' }], 'json'),
        ALL,
      ],
      ['deleted', () => remove(name), ['rollouts']],
    ]);
  });

  test('are asked about by their status only when it changes, and never in the hands of our controller', async () => {
    const role = ['create', 'role', 'things', '-n', namespace, '--verb=*'];
    succeeded(await kubectl([...role, `--resource=things.${GROUP},things.${GROUP}/status`]));
    const binding = ['create', 'rolebinding', 'things', '-n', namespace, '--role=things', `--user=${CONTROLLER}`];
    succeeded(await kubectl(binding));
    const connection = connect({ kubeconfig, env: {}, impersonate: { user: CONTROLLER } });
    const controller = new Client(connection);
    const at = { namespace, name: 'reported' };
    const write = (status: Json, by = client) => by.patch(THING, at, 'merge', { status }, { subresource: 'status' });
    const asked = ['rollout-status'];
    try {
      await follow([
        ['created', () => client.create(THING, thing('reported')), ['rollouts']],
        ['given a status', () => write({ phase: 'a' }), asked],
        ['given the same again', () => write({ phase: 'a' }), []],
        ['given another', () => write({ phase: 'b' }), asked],
        ['given another by our controller', () => write({ phase: 'c' }, controller), []],
        ['deprived of it', () => write(null), asked],
        ['deprived of it again', () => write(null), []],
        ['given one that is no map', () => write([1]), asked],
        ['marked by who may rescue', () => patch('reported', annotate({ [RESCUE]: 'true' })), []],
        ['given another by who may rescue', () => write({ phase: 'd' }), []],
        ['deleted', () => remove('reported'), []],
      ]);
    } finally {
      connection.close();
    }
  });

  test('as large as they may be are evaluated within the budget of an API server', async () => {
    // 256 KiB of keys and values are the limit for annotations; short ones cost most.
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, 'v']));
    const spec = {
      template: { rules: Array.from({ length: 8_000 }, (_, i) => ({ host: `host-${i}.example.com`, weight: i })) },
    };
    await follow([
      [
        'created',
        () => client.create(THING, thing('large', { ...many, [DIRECTIVE]: 'x', [ORIGINAL]: '{}' }, { spec })),
        ['gateways', 'workloads', 'rollouts'],
      ],
      ['edited', () => patch('large', { spec: { template: { a: 1 } } }), ['gateways', 'workloads', 'rollouts']],
      ['a directive changed', () => patch('large', annotate({ [DIRECTIVE]: 'y' })), ALL],
      ['deleted', () => remove('large'), ['gateways', 'workloads', 'rollouts']],
    ]);
  });

  test('marked for a rescue pass only in the hands of somebody who may rescue', async () => {
    succeeded(await kubectl(['create', 'role', 'writer', '-n', namespace, '--verb=*', `--resource=things.${GROUP}`]));
    succeeded(await kubectl(['create', 'rolebinding', 'writer', '-n', namespace, '--role=writer', '--user=jane']));
    const connection = connect({ kubeconfig, env: {}, impersonate: { user: 'jane' } });
    const jane = new Client(connection);
    const byJane = (body: Json) => jane.patch(THING, { namespace, name: 'marked' }, 'merge', body);
    const taken = ['gateways', 'workloads', 'rollouts'];
    try {
      await follow([
        ['created', () => client.create(THING, thing('marked', { [ORIGINAL]: '{}' }, { spec: { a: 1 } })), taken],
        ['marked by who may', () => patch('marked', annotate({ [RESCUE]: 'true' })), []],
        ['edited by who may', () => patch('marked', { spec: { a: 2 } }), []],
        ['restored by who may', () => patch('marked', annotate({ [ORIGINAL]: null })), ['status']],
        ['put back by who may', () => patch('marked', annotate({ [ORIGINAL]: '{}' })), ['status']],
        ['edited by who may not', () => byJane({ spec: { a: 3 } }), taken],
        ['the mark taken away by who may not', () => byJane(annotate({ [RESCUE]: null })), taken],
        ['marked by who may not', () => byJane(annotate({ [RESCUE]: 'true' })), taken],
        ['the mark taken away by who may', () => patch('marked', annotate({ [RESCUE]: null })), []],
        ['edited by who may, unmarked', () => patch('marked', { spec: { a: 4 } }), taken],
      ]);
    } finally {
      connection.close();
    }
  });
});
