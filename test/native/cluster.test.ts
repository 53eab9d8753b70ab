import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scriptsByHash } from '../../src/admission/inventory.ts';
import { ANNOTATIONS, LABELS } from '../../src/api/names.ts';
import { FIELD_MANAGER } from '../../src/controller/api.ts';
import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { rolloutObject } from '../../src/controller/rollouts.testing.ts';
import { condition, library, start } from '../../src/controller/running.testing.ts';
import { at, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { virtualClock } from '../../src/kube/virtual-clock.testing.ts';
import {
  directiveKey,
  encodeDirective,
  FORMAT,
  readDirective,
  type WorkloadAction,
} from '../../src/rewrite/directive.ts';
import { createRewriter } from '../../src/rewrite/rewriter.ts';
import { templateHash } from '../../src/rewrite/template.ts';
import { ALICE, CONTROLLER, type Webhook } from './admission.ts';
import { NativeCluster, type NativeClusterOptions } from './cluster.ts';
import { REPLICA_SET } from './controllers.ts';
import { annotation, listAt, mapAt, numberAt, withMembers, withMetadata } from './fields.ts';
import { rollingUpdate, templateOf } from './plane.ts';

const WEB = { namespace: 'shop', name: 'web' };
const KEY = directiveKey('web');
const scripts = scriptsByHash(library);
const rewriter = createRewriter((hash) => scripts.get(hash));

function open(options: Partial<NativeClusterOptions> = {}): NativeCluster {
  return new NativeCluster({ clock: virtualClock(), rewriter, ...options });
}

function manifest(image: string, spec: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...WEB },
    spec: { replicas: 4, selector: { matchLabels: { app: 'web' } }, template: templateOf(image), ...spec },
  };
}

const SERVICE: JsonMap = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...WEB },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
};

/** A cluster in which v1 runs. */
async function running(options: Partial<NativeClusterOptions> = {}, spec: JsonMap = {}): Promise<NativeCluster> {
  const cluster = open(options);
  cluster.apply(SERVICE);
  cluster.apply(manifest('v1', spec));
  await cluster.run(10_000);
  return cluster;
}

const deployment = (cluster: NativeCluster) => cluster.read(RESOURCES.deployment, WEB);
const specOf = (cluster: NativeCluster) => mapAt(deployment(cluster), 'spec');
const versionOf = (object: JsonMap) => stringAt(object, 'spec', 'template', 'spec', 'containers', 0, 'image');
const sizes = (cluster: NativeCluster) =>
  cluster
    .setsOf(WEB)
    .filter(({ desired }) => desired > 0)
    .map(({ image, desired, ready }) => `${image} ${desired}/${ready}`)
    .join(', ');
const readyEndpoints = (cluster: NativeCluster) =>
  cluster
    .list(RESOURCES.endpointSlice)
    .flatMap((slice) => listAt(slice, 'endpoints'))
    .filter((each) => at(each, ['conditions', 'ready']) === true).length;

describe('Kubernetes without Sluice', () => {
  test('brings up what is applied: sets, pods, endpoints, status', async () => {
    const cluster = await running();
    expect(sizes(cluster)).toBe('v1 4/4');
    expect(readyEndpoints(cluster)).toBe(4);
    expect(deployment(cluster)).toMatchObject({
      metadata: { annotations: { 'deployment.kubernetes.io/revision': '1' }, generation: 1 },
      status: { observedGeneration: 1, replicas: 4, updatedReplicas: 4, readyReplicas: 4, availableReplicas: 4 },
    });
  });

  test('replaces one version by another, and never leaves fewer ready pods than maxUnavailable allows', async () => {
    const cluster = await running({}, rollingUpdate(1, 1));
    cluster.apply(manifest('v2', rollingUpdate(1, 1)));
    for (let tenths = 0; tenths < 100; tenths++) {
      await cluster.run(100);
      expect(readyEndpoints(cluster)).toBeGreaterThanOrEqual(3);
    }
    expect(sizes(cluster)).toBe('v2 4/4');
  });

  test('stops at a version that is never ready', async () => {
    const cluster = await running({ readyAfter: (pod) => (imageOf(pod) === 'v2' ? 'never' : 500) });
    cluster.apply(manifest('v2', rollingUpdate(1, 1)));
    await cluster.run(600_000);
    expect(sizes(cluster)).toBe('v1 3/3, v2 2/0');
    cluster.apply(manifest('v1', rollingUpdate(1, 1)));
    await cluster.run(10_000);
    expect(sizes(cluster)).toBe('v1 4/4');
  });

  test('waits for minReadySeconds', async () => {
    const cluster = await running();
    cluster.apply(manifest('v2', { minReadySeconds: 60, ...rollingUpdate(0, 4) }));
    await cluster.run(55_000);
    expect(sizes(cluster)).toBe('v1 4/4, v2 4/4');
    await cluster.run(10_000);
    expect(sizes(cluster)).toBe('v2 4/4');
  });

  test('with Recreate ends all pods of the old version before it starts one of the new', async () => {
    const recreate = { strategy: { type: 'Recreate' } };
    const cluster = await running({ terminatesAfter: 3_000 }, recreate);
    cluster.apply(manifest('v2', recreate));
    await cluster.run(2_000);
    expect([sizes(cluster), cluster.list(RESOURCES.pod).length]).toEqual(['', 4]);
    await cluster.run(10_000);
    expect(sizes(cluster)).toBe('v2 4/4');
  });

  test('makes up for a pod that is deleted, and takes one that is not ready out of the endpoints', async () => {
    const cluster = await running();
    const [first, second] = cluster.list(RESOURCES.pod).map((pod) => stringAt(pod, 'metadata', 'name') ?? '');
    cluster.erase(RESOURCES.pod, { ...WEB, name: first ?? '' });
    cluster.setReady({ ...WEB, name: second ?? '' }, 'False');
    await cluster.settle();
    expect(readyEndpoints(cluster)).toBe(2);
    await cluster.run(5_000);
    expect(readyEndpoints(cluster)).toBe(3);
    cluster.setReady({ ...WEB, name: second ?? '' }, 'True');
    await cluster.settle();
    expect(readyEndpoints(cluster)).toBe(4);
  });

  test.each(['background', 'foreground'] as const)(
    'takes away what a deleted Deployment owned, %s',
    async (propagation) => {
      const cluster = await running({ terminatesAfter: 2_000 });
      cluster.erase(RESOURCES.deployment, WEB, propagation);
      await cluster.settle();
      expect(cluster.objects.has('apps/Deployment/shop/web')).toBe(propagation === 'foreground');
      expect(readyEndpoints(cluster)).toBe(0);
      await cluster.run(5_000);
      expect([RESOURCES.deployment, REPLICA_SET, RESOURCES.pod].flatMap((kind) => cluster.list(kind))).toEqual([]);
    },
  );

  test('makes a Deployment anew beside the sets of the old one', async () => {
    const cluster = await running();
    const [before] = cluster.setsOf(WEB);
    cluster.erase(RESOURCES.deployment, WEB);
    cluster.apply(manifest('v1'));
    await cluster.run(10_000);
    expect(sizes(cluster)).toBe('v1 4/4');
    expect(cluster.list(REPLICA_SET)).toHaveLength(1);
    expect(before?.desired).toBe(4);
  });

  type Action = (cluster: NativeCluster) => void;
  const action: fc.Arbitrary<Action> = fc.oneof(
    fc.constantFrom('v1', 'v2', 'v3').map(
      (image): Action =>
        (cluster) =>
          cluster.apply(manifest(image)),
    ),
    fc.nat(9).map(
      (replicas): Action =>
        (cluster) =>
          cluster.scale(WEB, replicas),
    ),
    fc.boolean().map(
      (isPaused): Action =>
        (cluster) =>
          edited(cluster, { paused: isPaused || undefined }),
    ),
    fc.constant<Action>((cluster) => {
      cluster.erase(RESOURCES.deployment, WEB);
      cluster.apply(manifest('v1'));
    }),
    fc.constant<Action>((cluster) => {
      for (const pod of cluster.list(RESOURCES.pod).slice(0, 2)) cluster.erase(RESOURCES.pod, nameOf(pod));
    }),
  );

  test('ends with what was asked for last, whatever was asked for before: 100 times 20 actions', async () => {
    const sequence = fc.tuple(fc.nat(), fc.array(fc.tuple(action, fc.nat(4_000)), { minLength: 20, maxLength: 20 }));
    await fc.assert(
      fc.asyncProperty(sequence, async ([seed, actions]) => {
        const cluster = await running({ seed });
        for (const [act, pause] of actions) {
          act(cluster);
          await cluster.run(pause);
        }
        edited(cluster, { paused: undefined });
        await cluster.run(120_000);
        const replicas = numberAt(deployment(cluster), 0, 'spec', 'replicas');
        const image = versionOf(deployment(cluster));
        expect(sizes(cluster), cluster.story.join('\n')).toBe(replicas === 0 ? '' : `${image} ${replicas}/${replicas}`);
        expect(readyEndpoints(cluster)).toBe(replicas);
        expect(cluster.list(RESOURCES.pod)).toHaveLength(replicas);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});

function edited(cluster: NativeCluster, members: { readonly [key: string]: Json | undefined }): void {
  cluster.edit(RESOURCES.deployment, WEB, (live) => ({ ...live, spec: withMembers(mapAt(live, 'spec'), members) }));
}

function imageOf(pod: JsonMap): string | undefined {
  return stringAt(pod, 'spec', 'containers', 0, 'image');
}

function nameOf(object: JsonMap): { namespace: string; name: string } {
  return {
    namespace: stringAt(object, 'metadata', 'namespace') ?? '',
    name: stringAt(object, 'metadata', 'name') ?? '',
  };
}

describe('the API server', () => {
  test('fills in defaults, and stores neither `paused: false` nor `minReadySeconds: 0`', () => {
    const cluster = open();
    cluster.apply(manifest('v1', { replicas: 1, paused: false, minReadySeconds: 0, strategy: {} }));
    const { paused, minReadySeconds, ...spec } = specOf(cluster);
    expect([paused, minReadySeconds]).toEqual([undefined, undefined]);
    expect(spec).toMatchObject({
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      template: { spec: { restartPolicy: 'Always', containers: [{ image: 'v1', imagePullPolicy: 'Always' }] } },
    });
  });

  test.each<[string, JsonMap]>([
    ['no deadline beyond minReadySeconds', { minReadySeconds: 600 }],
    ['no pod may be missing and none too many', rollingUpdate('0%', 0)],
    ['more than all pods may be missing', rollingUpdate('101%', 0)],
    ['bounds with Recreate', { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }],
    ['labels that the selector does not select', { selector: { matchLabels: { app: 'other' } } }],
  ])('refuses %s', (_title, spec) => {
    expect(() => open().apply(manifest('v1', spec))).toThrow(
      expect.objectContaining({ status: 422, reason: 'Invalid' }),
    );
  });

  test('counts in a generation what is meant: spec and annotations of a Deployment, nothing of a Service', async () => {
    const cluster = await running();
    const generation = () => numberAt(deployment(cluster), 0, 'metadata', 'generation');
    expect(generation()).toBe(1);
    cluster.scale(WEB, 5);
    expect(generation()).toBe(2);
    cluster.edit(RESOURCES.deployment, WEB, (live) => withMetadata(live, { labels: { a: 'b' } }));
    expect(generation()).toBe(2);
    const annotated = (live: JsonMap) =>
      withMetadata(live, { annotations: { ...mapAt(live, 'metadata', 'annotations'), a: 'b' } });
    cluster.edit(RESOURCES.deployment, WEB, annotated);
    expect(generation()).toBe(3);
    await cluster.run(1_000);
    expect(generation()).toBe(3);
    expect(at(cluster.read(RESOURCES.service, WEB), ['metadata', 'generation'])).toBeUndefined();
  });

  test('keeps status and the rest apart; annotations of built-in kinds come with a status', () => {
    const cluster = open();
    cluster.put(RESOURCES.rollout, rolloutObject());
    cluster.apply(manifest('v1'));
    const both = (live: JsonMap) => ({ ...withMetadata(live, { annotations: { a: 'b' } }), status: { replicas: 9 } });
    cluster.edit(RESOURCES.deployment, WEB, (live) => ({ ...live, status: { replicas: 7 } }));
    expect(deployment(cluster)['status']).toBeUndefined();
    const controller = cluster.as(CONTROLLER);
    for (const resource of [RESOURCES.deployment, RESOURCES.rollout]) {
      const live = cluster.read(resource, WEB);
      const body = { ...both(live), spec: { replicas: 1 } };
      void controller.patch(resource, WEB, 'merge', body, { subresource: 'status' });
    }
    return Promise.resolve().then(() => {
      expect(deployment(cluster)).toMatchObject({ spec: { replicas: 4 }, status: { replicas: 9 } });
      expect(annotation(deployment(cluster), 'a')).toBe('b');
      const rollout = cluster.read(RESOURCES.rollout, WEB);
      expect([annotation(rollout, 'a'), at(rollout, ['status', 'replicas'])]).toEqual([undefined, 9]);
      expect(numberAt(rollout, 0, 'metadata', 'generation')).toBe(1);
    });
  });

  test('writes what was computed from the newest version, and nothing else, for the controller', async () => {
    const cluster = await running();
    const live = deployment(cluster);
    const resourceVersion = stringAt(live, 'metadata', 'resourceVersion') ?? '';
    const label = (version: string) => ({ metadata: { resourceVersion: version, labels: { a: 'b' } } });
    await expect(cluster.patch(RESOURCES.deployment, WEB, 'merge', { metadata: {} })).rejects.toThrow('fenced');
    await expect(cluster.patch(RESOURCES.deployment, WEB, 'merge', label('1'))).rejects.toMatchObject({ status: 409 });
    const after = await cluster.patch(RESOURCES.deployment, WEB, 'merge', label(resourceVersion));
    expect(mapAt(after, 'metadata', 'labels')).toEqual({ a: 'b' });
    const version = stringAt(after, 'metadata', 'resourceVersion') ?? '';
    const tested = (value: string) => [
      { op: 'test', path: '/metadata/resourceVersion', value },
      { op: 'replace', path: '/metadata/labels', value: { 'x/y': 'c' } },
    ];
    await expect(cluster.patch(RESOURCES.deployment, WEB, 'json', tested('1'))).rejects.toMatchObject({ status: 409 });
    const again = await cluster.patch(RESOURCES.deployment, WEB, 'json', tested(version));
    expect(mapAt(again, 'metadata', 'labels')).toEqual({ 'x/y': 'c' });
    expect(cluster.writes).toHaveLength(5);
    expect(cluster.requests.map(({ verb, body }) => [verb, body])).toContainEqual(['patch', label('1')]);
  });

  test('does the same for others, who need no version, and stores nothing on a dry run', async () => {
    const cluster = await running();
    const api = cluster.as(ALICE);
    const labelled = { metadata: { labels: { a: 'b' } } };
    const dry = await api.patch(RESOURCES.deployment, WEB, 'merge', labelled, { dryRun: true });
    expect(mapAt(dry, 'metadata', 'labels')).toEqual({ a: 'b' });
    expect(at(deployment(cluster), ['metadata', 'labels'])).toBeUndefined();
    await api.patch(RESOURCES.deployment, WEB, 'merge', labelled);
    expect(mapAt(deployment(cluster), 'metadata', 'labels')).toEqual({ a: 'b' });
    await expect(api.delete(RESOURCES.deployment, WEB, { uid: 'another' })).rejects.toMatchObject({ status: 409 });
    await expect(api.create(RESOURCES.deployment, manifest('v1'))).rejects.toMatchObject({ reason: 'AlreadyExists' });
    expect(cluster.requests).toEqual([]);
  });

  test('takes a write that changes nothing for none', async () => {
    const cluster = await running();
    const before = deployment(cluster);
    expect(cluster.apply(manifest('v1'))).toBe(before);
    cluster.scale(WEB, 4);
    expect(deployment(cluster)).toBe(before);
  });

  test('keeps an object with finalizers until the last is gone', () => {
    const cluster = open();
    cluster.put(RESOURCES.rollout, withMetadata(rolloutObject(), { finalizers: ['a', 'b'] }));
    cluster.erase(RESOURCES.rollout, WEB);
    cluster.edit(RESOURCES.rollout, WEB, (live) => withMetadata(live, { finalizers: ['a'] }));
    expect(cluster.read(RESOURCES.rollout, WEB)).toMatchObject({ metadata: { finalizers: ['a'] } });
    cluster.edit(RESOURCES.rollout, WEB, (live) => withMetadata(live, { finalizers: [] }));
    expect(cluster.list(RESOURCES.rollout)).toEqual([]);
  });
});

describe('kubectl apply', () => {
  test('takes out what the manifest said before and says no longer, and leaves what others set', async () => {
    const cluster = await running({}, { minReadySeconds: 5, ...rollingUpdate(1, 1) });
    edited(cluster, { revisionHistoryLimit: 3 });
    cluster.apply(manifest('v1', { strategy: { type: 'Recreate' } }));
    const { minReadySeconds, revisionHistoryLimit, strategy } = specOf(cluster);
    expect([minReadySeconds, revisionHistoryLimit, strategy]).toEqual([undefined, 3, { type: 'Recreate' }]);
  });
});

function directive(
  action: { readonly type: 'armed'; readonly style: 'partition' } | ({ readonly type: 'workload' } & WorkloadAction),
  revision = '',
): string {
  const rollout = { ...WEB, uid: 'rollout' };
  return encodeDirective({ format: FORMAT, rollout, revision, step: 1, continues: action.type !== 'armed', action });
}

const ARMED = directive({ type: 'armed', style: 'partition' });

/** The one write of the controller: its annotation. */
async function direct(cluster: NativeCluster, text: string): Promise<JsonMap> {
  await cluster.settle();
  const resourceVersion = stringAt(deployment(cluster), 'metadata', 'resourceVersion') ?? '';
  const body = { metadata: { resourceVersion, annotations: { [KEY]: text } } };
  return await cluster.patch(RESOURCES.deployment, WEB, 'merge', body, { fieldManager: FIELD_MANAGER });
}

async function armed(options: Partial<NativeClusterOptions> = {}, spec: JsonMap = {}): Promise<NativeCluster> {
  const cluster = await running(options, spec);
  await direct(cluster, ARMED);
  return cluster;
}

/** The directive for a walk of the release that the Deployment is in. */
function walking(cluster: NativeCluster, maxUnavailable: number, maxSurge: number, paused = false): string {
  const held = readDirective(KEY, annotation(deployment(cluster), KEY) ?? '');
  if (held?.action.type !== 'workload') throw new Error('it is in no release');
  return directive({ ...held.action, paused, walk: { maxSurge, maxUnavailable } }, held.revision);
}

describe('Sluice at admission', () => {
  test('holds a new version of an armed Deployment, and lets it walk as directed', async () => {
    const cluster = await armed({}, { replicas: 10 });
    cluster.apply(manifest('v2', { replicas: 10 }));
    await cluster.run(60_000);
    expect(specOf(cluster)).toMatchObject({ paused: true, minReadySeconds: 2147483646 });
    expect([sizes(cluster), cluster.setsOf(WEB).length]).toEqual(['v1 10/10', 1]);
    await direct(cluster, walking(cluster, 0, 3));
    await cluster.run(60_000);
    expect(sizes(cluster)).toBe('v1 10/10, v2 3/3');
    await direct(cluster, walking(cluster, 3, 0));
    await cluster.run(60_000);
    expect(sizes(cluster)).toBe('v1 7/7, v2 3/3');
    cluster.apply(manifest('v1', { replicas: 10 }));
    await cluster.run(60_000);
    expect(sizes(cluster)).toBe('v1 10/10, v2 3/3');
    await direct(cluster, ARMED);
    await cluster.run(60_000);
    expect(sizes(cluster)).toBe('v1 10/10');
    expect(at(deployment(cluster), ['metadata', 'annotations', ANNOTATIONS.original])).toBeUndefined();
  });

  test('puts back a directive that somebody else changes, and says so', async () => {
    const cluster = await armed();
    cluster.apply(manifest('v2'));
    const held = annotation(deployment(cluster), KEY);
    cluster.edit(RESOURCES.deployment, WEB, (live) =>
      withMetadata(live, { annotations: { ...mapAt(live, 'metadata', 'annotations'), [KEY]: ARMED } }),
    );
    expect(annotation(deployment(cluster), KEY)).toBe(held);
    expect(cluster.warnings).not.toEqual([]);
  });

  test('is not asked about a scale', async () => {
    const cluster = await armed();
    cluster.apply(manifest('v2'));
    cluster.webhook = 'fails shut';
    cluster.scale(WEB, 6);
    await cluster.run(10_000);
    expect(sizes(cluster)).toBe('v1 6/6');
  });

  test('that cannot be reached blocks what it has to be asked about, or lets everything pass', async () => {
    const cluster = await armed();
    cluster.webhook = 'fails shut';
    expect(() => cluster.apply(manifest('v2'))).toThrow(expect.objectContaining({ status: 500 }));
    cluster.edit(RESOURCES.deployment, WEB, (live) => withMetadata(live, { labels: { a: 'b' } }));
    cluster.webhook = 'fails open';
    cluster.apply(manifest('v2'));
    await cluster.run(60_000);
    expect(sizes(cluster)).toBe('v2 4/4');
  });

  test('is asked again when another webhook changes the object after it', async () => {
    const template = templateOf('v2');
    const undoing: Webhook = ({ resource, incoming }) =>
      resource.kind === 'Deployment' && versionOf(incoming) === 'v2'
        ? { ...incoming, spec: { ...mapAt(incoming, 'spec'), template: templateOf('v1') } }
        : incoming;
    const cluster = await armed({ webhooks: [undoing] });
    cluster.apply(manifest('v2'));
    expect(specOf(cluster)['paused']).toBeUndefined();
    expect(templateHash(template)).not.toBe(templateHash(templateOf('v1')));
  });

  test('holds what a Rollout names that came with it', async () => {
    const cluster = await running({ naming: () => new Map([[KEY, ARMED]]) });
    cluster.apply(manifest('v2'));
    await cluster.run(60_000);
    expect([specOf(cluster)['paused'], sizes(cluster)]).toEqual([true, 'v1 4/4']);
  });

  test('denies a directive whose script is gone', async () => {
    const cluster = await running();
    const action = {
      type: 'gateway',
      contract: 'custom',
      script: { name: 'x', hash: 'none' },
      routes: [{ stableService: 'web', canaryService: 'web-canary' }],
    } as const;
    const rollout = { ...WEB, uid: 'rollout' };
    const text = encodeDirective({ format: FORMAT, rollout, revision: '', step: 1, continues: false, action });
    const route = { apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', metadata: WEB, spec: {} };
    const live = cluster.apply(route);
    const metadata = {
      resourceVersion: stringAt(live, 'metadata', 'resourceVersion') ?? '',
      annotations: { [KEY]: text },
    };
    const written = cluster.patch(VIRTUAL_SERVICE, WEB, 'merge', { metadata }, { fieldManager: FIELD_MANAGER });
    await expect(written).rejects.toMatchObject({ status: 403 });
  });

  test('may keep a pod of each set through a webhook on ReplicaSets', async () => {
    const floor: Webhook = ({ resource, part, incoming, live }) =>
      resource.kind === 'ReplicaSet' &&
      part === 'main' &&
      live !== undefined &&
      numberAt(incoming, 0, 'spec', 'replicas') === 0
        ? { ...incoming, spec: { ...mapAt(incoming, 'spec'), replicas: 1 } }
        : incoming;
    const cluster = await armed({ webhooks: [floor] }, { replicas: 10 });
    cluster.apply(manifest('v2', { replicas: 10 }));
    for (const [m, s] of [
      [0, 1],
      [1, 0],
    ] as const) {
      await direct(cluster, walking(cluster, m, s));
      await cluster.run(10_000);
    }
    await direct(cluster, walking(cluster, 1, 0, true));
    await cluster.run(10_000);
    cluster.scale(WEB, 4);
    await cluster.run(10_000);
    expect(sizes(cluster)).toBe('v1 3/3, v2 1/1');
  });
});

describe('a test', () => {
  test('sees the same again with the same seed, and another order with another', async () => {
    const told = async (seed: number) => {
      const cluster = await armed({ seed });
      cluster.apply(manifest('v2'));
      await direct(cluster, walking(cluster, 1, 1));
      await cluster.run(10_000);
      expect(sizes(cluster)).toBe('v1 3/3, v2 2/2');
      return cluster.story;
    };
    expect(await told(7)).toEqual(await told(7));
    expect(await told(7)).not.toEqual(await told(8));
  });

  test('fails where somebody writes without end', async () => {
    const cluster = await running();
    const watch = cluster.watch({
      resource: RESOURCES.service,
      trim: (object) => object,
      onState: () => undefined,
      onChange: ({ after }) => {
        const count = Number(annotation(after ?? {}, 'count') ?? 0) + 1;
        cluster.edit(RESOURCES.service, WEB, (live) => withMetadata(live, { annotations: { count: String(count) } }));
      },
    });
    await expect(cluster.run(1_000)).rejects.toThrow('nothing comes to rest');
    watch.close();
  });

  test('runs the controller of Rollouts on it', async () => {
    const clock = virtualClock();
    const cluster = await running({ clock });
    cluster.apply({
      apiVersion: 'networking.istio.io/v1beta1',
      kind: 'VirtualService',
      metadata: WEB,
      spec: { hosts: ['web'], http: [{ route: [{ destination: { host: 'web' } }] }] },
    });
    const { controller } = start(cluster, {}, clock);
    cluster.isBusy = () => controller.queueSize().ready + controller.queueSize().working > 0;
    await cluster.run(1_000);
    await controller.ready;
    cluster.put(RESOURCES.rollout, rolloutObject());
    await cluster.run(60_000);
    expect(await condition(cluster, 'Accepted')).toMatchObject({ status: 'True' });
    expect(annotation(deployment(cluster), KEY)).toContain('armed');
    expect(mapAt(deployment(cluster), 'metadata', 'labels')).toEqual({ [LABELS.workloadType]: 'deployment' });
  });
});
