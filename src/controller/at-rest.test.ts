import { expect, test, vi } from 'vitest';
import { ANNOTATIONS } from '../api/names.ts';
import { at, type Json, type JsonMap } from '../json/value.ts';
import { ApiError } from '../kube/api-error.ts';
import { RESOURCES } from '../kube/resource.ts';
import { readRecord } from '../release/record.ts';
import { encodeDirective, FORMAT } from '../rewrite/directive.ts';
import { templateHash } from '../rewrite/template.ts';
import type { TestCluster } from './cluster.testing.ts';
import { rolloutObject } from './rollouts.testing.ts';
import { becomes, KEY, settled, start, whole } from './running.testing.ts';
import type { Change, Watch, WatchOptions } from './watcher.ts';

/** What stands in the status of a Rollout that has released nothing yet. */

const WEB = { namespace: 'shop', name: 'web' };
const template = (image: string): JsonMap => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ image }] },
});
const NUMBERED = { [ANNOTATIONS.nativeRevision]: '2' };

function deployment(metadata: JsonMap, image = 'v2'): JsonMap {
  const spec = { selector: { matchLabels: { app: 'web' } }, template: template(image) };
  return { metadata: { ...WEB, uid: 'web-uid', generation: 7, ...metadata }, spec };
}

/** A ReplicaSet as the native controller makes it. */
function replicaSet(podTemplateHash: string, image: string, owner = 'web-uid'): JsonMap {
  const labels = { app: 'web', 'pod-template-hash': podTemplateHash };
  const { metadata, ...rest } = template(image);
  const ownerReferences = [{ kind: 'Deployment', name: 'web', uid: owner, controller: true }];
  return {
    metadata: { namespace: 'shop', name: `web-${podTemplateHash}`, labels, ownerReferences },
    spec: { template: { metadata: { ...(metadata as JsonMap), labels }, ...rest } },
  };
}

/** Two versions, and a set of the same template that is another Deployment's. */
function rolledOut(metadata: JsonMap = {}): TestCluster {
  const cluster = whole();
  cluster.put(RESOURCES.deployment, deployment({ annotations: NUMBERED, ...metadata }));
  cluster.put(RESOURCES.replicaSet, replicaSet('other', 'v2', 'other-uid'));
  cluster.put(RESOURCES.replicaSet, replicaSet('old', 'v1'));
  cluster.put(RESOURCES.replicaSet, replicaSet('current', 'v2'));
  return cluster;
}

async function statusOf(cluster: TestCluster): Promise<JsonMap> {
  return ((await cluster.get(RESOURCES.rollout, WEB))['status'] ?? {}) as JsonMap;
}

const sub = async (cluster: TestCluster, key: string): Promise<Json | undefined> =>
  at(await statusOf(cluster), ['canaryStatus', key]);

/** Counts what is stored of statuses from now on; a look that comes too early for the watch is refused, and stores nothing. */
function storing(cluster: TestCluster): { readonly count: () => number } {
  let count = 0;
  const { patch } = cluster;
  cluster.patch = async (...call) => {
    const stored = await patch.apply(cluster, call);
    if (call[4]?.subresource === 'status') count += 1;
    return stored;
  };
  return { count: () => count };
}

test('the write that makes it Healthy says which version there is, and is the only one', async () => {
  const cluster = rolledOut();
  const stored = storing(cluster);
  const { controller } = start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  await settled(controller, cluster);
  const revision = templateHash(template('v2'));
  expect((await statusOf(cluster))['canaryStatus']).toMatchObject({
    ...{ observedWorkloadGeneration: 7, observedRolloutID: revision, canaryRevision: revision },
    ...{ stableRevision: 'current', podTemplateHash: 'current', currentStepIndex: 2, nextStepIndex: -1 },
  });
  expect(stored.count()).toBe(1);
});

test('before the watch shows what was written, it is neither read nor written again', async () => {
  const cluster = rolledOut();
  const { watch } = cluster;
  cluster.watch = <T>(options: WatchOptions<T>): Watch<T> => {
    const isLate = options.resource === RESOURCES.rollout;
    const onChange = (change: Change<T>) =>
      void (isLate ? setTimeout(() => options.onChange(change), 100) : options.onChange(change));
    return watch.call(cluster, { ...options, onChange } as WatchOptions<unknown>) as Watch<T>;
  };
  const reads = vi.spyOn(cluster, 'listAll');
  const { controller } = start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  // Any event brings the next look: arming the workload is one, this is another.
  const live = await cluster.get(RESOURCES.deployment, WEB);
  cluster.put(RESOURCES.deployment, deployment({ ...(live['metadata'] as JsonMap), labels: { touched: 'yes' } }));
  await settled(controller, cluster);
  expect(reads).toHaveBeenCalledTimes(1);
  expect(cluster.writes.filter((write) => write.startsWith('patch status'))).toHaveLength(1);
});

test('nothing takes it for a release that ran', async () => {
  const cluster = rolledOut();
  const { controller, events } = start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  await settled(controller, cluster);
  expect(readRecord(await statusOf(cluster), 'partition')).toBeUndefined();
  expect([...controller.figures()]).toMatchObject([{ phase: 'Healthy', release: undefined }]);
  expect(events).toEqual([]);
});

test.each([
  ['label', { labels: { [ANNOTATIONS.rolloutId]: '2026-10' } }, '2026-10'],
  ['annotation', { annotations: { ...NUMBERED, [ANNOTATIONS.rolloutId]: 'x' } }, 'x'],
  [
    'annotation that is no label value',
    { annotations: { [ANNOTATIONS.rolloutId]: 'a b' } },
    templateHash(template('v2')),
  ],
])('the id of the version is that of the %s of the workload, as in a release', async (_, metadata, expected) => {
  const cluster = rolledOut(metadata);
  start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  expect(await sub(cluster, 'observedRolloutID')).toBe(expected);
});

test('a workload that comes with its Rollout has no ReplicaSet yet: that is told when it is there, and read no more', async () => {
  const cluster = whole();
  cluster.put(RESOURCES.deployment, deployment({}));
  const stored = storing(cluster);
  const { controller } = start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  await settled(controller, cluster);
  expect([await sub(cluster, 'podTemplateHash'), stored.count()]).toEqual(['', 1]);
  cluster.put(RESOURCES.replicaSet, replicaSet('current', 'v2'));
  const live = await cluster.get(RESOURCES.deployment, WEB);
  const { annotations, ...metadata } = live['metadata'] as JsonMap;
  cluster.put(RESOURCES.deployment, {
    ...live,
    metadata: { ...metadata, annotations: { ...(annotations as JsonMap), ...NUMBERED } },
  });
  await vi.waitFor(async () => expect(await sub(cluster, 'podTemplateHash')).toBe('current'));
  const list = vi.spyOn(cluster, 'listAll');
  cluster.put(RESOURCES.service, { metadata: { ...WEB, labels: { touched: 'yes' } } });
  await settled(controller, cluster);
  expect([stored.count(), list.mock.calls]).toEqual([2, []]);
});

test('of a workload that is held in a release its status says nothing before the release does', async () => {
  const action = { type: 'workload', style: 'partition', stable: 's', paused: true } as const;
  const rollout = { namespace: 'shop', name: 'other', uid: 'other-uid' };
  const key = KEY.replace('web', 'other');
  const text = encodeDirective({ format: FORMAT, rollout, revision: 'r', step: 0, continues: false, action });
  const cluster = rolledOut({ annotations: { ...NUMBERED, [key]: text } });
  cluster.put(RESOURCES.rollout, rolloutObject({ metadata: { name: 'other', uid: 'other-uid' } }));
  start(cluster);
  await becomes(cluster, 'Accepted', 'False', 'WorkloadTaken');
  expect((await statusOf(cluster))['canaryStatus']).toBeUndefined();
});

test('where ReplicaSets cannot be read the Rollout is Healthy all the same, and it is tried again', async () => {
  const cluster = rolledOut();
  const { listAll } = cluster;
  let refusals = 2;
  cluster.listAll = (...call) => {
    if (refusals-- > 0) throw new ApiError(503, 'ServiceUnavailable', 'not now');
    return listAll.apply(cluster, call);
  };
  start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  expect((await statusOf(cluster))['phase']).toBe('Healthy');
  await vi.waitFor(async () => expect(await sub(cluster, 'podTemplateHash')).toBe('current'), 5_000);
});
