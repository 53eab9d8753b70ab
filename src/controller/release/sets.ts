import { ANNOTATIONS, LABELS } from '../../api/names.ts';
import { isMap, type Json, type JsonMap } from '../../json/value.ts';
import { outcomeOf } from '../../kube/api-error.ts';
import { RESOURCES } from '../../kube/resource.ts';
import type { PodWish, SetWish } from '../../release/observed.ts';
import { type Api, FIELD_MANAGER, TryAgain } from '../api.ts';
import { contentOf } from '../seen.ts';
import type { Scene } from './scenes.ts';

/**
 * Scales and marks ReplicaSets of a workload and of its canary Deployment.
 * @throws TryAgain where the Deployment is another one than was seen
 */
export async function writeSets(
  api: Api,
  wishes: readonly SetWish[],
  { scene, workloadName, namespace }: { scene: Scene; workloadName: string; namespace: string },
): Promise<void> {
  const owner = scene.deployment(workloadName);
  const extra = scene.canaryOf(workloadName);
  if (owner !== undefined && wishes.some(({ replicas }) => replicas !== undefined)) {
    // What is scaled by an older view of the Deployment the native controller would scale back, and so on.
    const fresh = await api.get(RESOURCES.deployment, { namespace, name: workloadName });
    if (contentOf(fresh['metadata']) !== owner.content) throw changed('Deployment', namespace, workloadName);
  }
  const known = [owner, extra].flatMap((each) => (each === undefined ? [] : scene.setsOf(each)));
  for (const wish of wishes) {
    const seen = known.find(({ name }) => name === wish.name);
    if (seen === undefined) continue;
    const { uid, resourceVersion } = seen;
    const name = { namespace, name: seen.name };
    if (wish.isRemoved) await gone(api.delete(RESOURCES.replicaSet, name, { uid, resourceVersion }));
    else {
      const options = { fieldManager: FIELD_MANAGER, isAnswerRead: false } as const;
      await api.patch(RESOURCES.replicaSet, name, 'merge', setPatch(wish, resourceVersion), options);
    }
  }
}

/** Gives pods labels and annotations, and takes them away. */
export async function writePods(
  api: Api,
  wishes: readonly PodWish[],
  { scene, namespace }: { scene: Scene; namespace: string },
): Promise<void> {
  const options = { fieldManager: FIELD_MANAGER, isAnswerRead: false } as const;
  for (const { name, labels, annotations } of wishes) {
    const resourceVersion = scene.pod(name)?.resourceVersion;
    if (resourceVersion === undefined) continue;
    const metadata = { resourceVersion, ...given({ labels, annotations }) };
    await gone(api.patch(RESOURCES.pod, { namespace, name }, 'merge', { metadata }, options));
  }
}

function setPatch(
  { replicas, scaledFor, minReadySeconds, floor, podMetadata }: SetWish,
  resourceVersion: string,
): JsonMap {
  const spec = given({ replicas, minReadySeconds });
  const annotations = given({
    [ANNOTATIONS.floor]: floor === '' ? null : floor,
    [ANNOTATIONS.desiredReplicas]: scaledFor === undefined ? undefined : String(scaledFor),
    [ANNOTATIONS.podMetadata]: podMetadata === '' ? null : podMetadata,
  });
  const isFound = podMetadata === '' ? null : 'true';
  const labels = podMetadata === undefined ? {} : { labels: { [LABELS.podMetadata]: isFound } };
  return {
    metadata: { resourceVersion, ...given({ annotations }), ...labels },
    ...given({ spec }),
  };
}

/** Without members that are undefined, or maps without any. */
function given(members: { readonly [key: string]: Json | undefined }): JsonMap {
  const isThere = (value: Json | undefined) =>
    value !== undefined && !(isMap(value) && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(members).filter((entry): entry is [string, Json] => isThere(entry[1])));
}

export function changed(kind: string, namespace: string, name: string): TryAgain {
  return new TryAgain(`${kind} ${namespace}/${name} has changed meanwhile`);
}

/** What is gone already need not be deleted. */
export async function gone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (outcomeOf(error) !== 'gone') throw error;
  }
}
