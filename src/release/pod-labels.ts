import { LABELS } from '../api/names.ts';
import { encodePodMetadata } from '../rollout/pod-metadata.ts';
import type { Look } from './look.ts';
import type { PodWish, SetWish, Wish } from './observed.ts';

/**
 * Pods of the new version say which release made them, and in which step (labels `rollouts.kruise.io/rollout-id` and
 * `rollout-batch-id`, compat §3.8). Their ReplicaSet says so for pods that are still to come, which get the labels at their
 * creation; what was created without them is corrected.
 */
export function podLabels({ record, versions }: Look): Partial<Wish> {
  const { canary } = versions;
  if (canary === undefined || record.reason !== 'InRolling') return {};
  const labels = { [LABELS.rolloutId]: record.rolloutId, [LABELS.rolloutBatchId]: String(record.step) };
  const podMetadata = encodePodMetadata({ labels, annotations: {} });
  const sets: SetWish[] = canary.podMetadata === podMetadata ? [] : [{ name: canary.name, podMetadata }];
  const pods = canary.pods
    .filter(({ rolloutId, batchId }) => rolloutId !== record.rolloutId || batchId === '')
    .map(({ name }): PodWish => ({ name, labels }));
  return { sets, pods };
}
