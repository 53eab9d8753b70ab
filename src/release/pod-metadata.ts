import { LABELS } from '../api/names.ts';
import { decodePodMetadata, encodePodMetadata, NO_POD_METADATA, type PodMetadata } from '../rollout/pod-metadata.ts';
import type { Look } from './look.ts';
import type { Pod, PodWish, ReplicaSet, SetWish, Wish } from './observed.ts';
import { steersTraffic, toldByLabels } from './settings.ts';

type Changes = Readonly<Record<string, string | null>>;

/**
 * Pods of the new version say which release made them, and in which step (labels `rollouts.kruise.io/rollout-id` and
 * `rollout-batch-id`, compat §3.8), and bear what the Rollout wants them to (`patchPodTemplateMetadata`). Their ReplicaSet
 * says so for pods that are still to come, which get it at their creation; what was created without is corrected.
 */
export function podMetadata(look: Look): Partial<Wish> {
  const { record, versions, settings, step } = look;
  const { canary } = versions;
  if (canary === undefined) return {};
  if (record.reason === 'InRolling') {
    if (!toldByLabels(settings)) return given(canary, withPatch(look));
    // Pods change sides by their labels: before a step begins traffic has to be where it can stay meanwhile.
    if (record.state === 'BeforeStepUpgrade') return {};
    return given(canary, steersTraffic(settings, step) ? withPatch(look) : identity(look));
  }
  // The native controller makes the last of them, and no longer under our eyes.
  const isNative = record.outcome === 'Success' && record.finalising === 'ResumeWorkload';
  return isNative ? { pods: lacking(canary, identity(look)) } : {};
}

/** Pods of a set that still bear something which the set gave them and `kept` does not say. */
export function bearers(set: ReplicaSet, kept: PodMetadata = NO_POD_METADATA): readonly Pod[] {
  const stale = staleOf(set, kept);
  return set.pods.filter((pod) => (['labels', 'annotations'] as const).some((part) => isBorne(pod[part], stale[part])));
}

/** Gives pods back what their template says instead of what their set gave them. */
export function givenBack(set: ReplicaSet, pods: readonly Pod[], kept: PodMetadata = NO_POD_METADATA): PodWish[] {
  const stale = staleOf(set, kept);
  const part = (which: 'labels' | 'annotations', pod: Pod): Changes =>
    Object.fromEntries(
      Object.entries(stale[which])
        .filter(([key, value]) => pod[which][key] === value)
        .map(([key]) => [key, set.templateMetadata[which][key] ?? null]),
    );
  return pods.map((pod) => ({
    name: pod.name,
    labels: part('labels', pod),
    annotations: part('annotations', pod),
  }));
}

/** What pods keep when the release is over. */
export function identity({ record }: Look): PodMetadata {
  const labels = { [LABELS.rolloutId]: record.rolloutId, [LABELS.rolloutBatchId]: String(record.step) };
  return { labels, annotations: {} };
}

function withPatch(look: Look): PodMetadata {
  const { labels = {}, annotations = {} } = look.settings.podMetadata;
  // A label by which a selector finds the pods would take them out of their set or Service.
  const allowed = Object.entries(labels).filter(([key]) => !look.observed.selectingLabels.includes(key));
  return { labels: { ...Object.fromEntries(allowed), ...identity(look).labels }, annotations };
}

/** What a changed plan no longer gives goes first: afterwards nobody knows any more that it was given. */
function given(set: ReplicaSet, wanted: PodMetadata): Partial<Wish> {
  const text = encodePodMetadata(wanted);
  const before = bearers(set, wanted);
  if (before.length > 0) return { pods: givenBack(set, before, wanted) };
  const sets: SetWish[] = set.podMetadata === text ? [] : [{ name: set.name, podMetadata: text }];
  return { sets, pods: lacking(set, wanted) };
}

function lacking({ pods }: ReplicaSet, wanted: PodMetadata): PodWish[] {
  return pods.flatMap((pod) => {
    // In which step a pod came stays as it was.
    const isOurs = pod.labels[LABELS.rolloutId] === wanted.labels[LABELS.rolloutId];
    const batch = isOurs ? pod.labels[LABELS.rolloutBatchId] : undefined;
    const labels = { ...wanted.labels, ...(batch === undefined ? {} : { [LABELS.rolloutBatchId]: batch }) };
    const missing = { labels: without(labels, pod.labels), annotations: without(wanted.annotations, pod.annotations) };
    const isWhole = Object.keys({ ...missing.labels, ...missing.annotations }).length === 0;
    return isWhole ? [] : [{ name: pod.name, ...missing }];
  });
}

/** What a set gives beyond `kept`, and beyond what its template says anyhow; which step it was given in is no difference. */
function staleOf({ podMetadata: text, templateMetadata: own }: ReplicaSet, kept: PodMetadata): PodMetadata {
  const { labels, annotations } = decodePodMetadata(text) ?? NO_POD_METADATA;
  const ids: readonly string[] = [LABELS.rolloutId, LABELS.rolloutBatchId];
  const patch = Object.fromEntries(Object.entries(labels).filter(([key]) => !ids.includes(key)));
  return {
    labels: without(without(patch, own.labels), kept.labels),
    annotations: without(without(annotations, own.annotations), kept.annotations),
  };
}

function isBorne(borne: Changes, stale: Changes): boolean {
  return Object.entries(stale).some(([key, value]) => borne[key] === value);
}

/** Entries that the other map has not, or with another value. */
function without(
  map: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([key, value]) => other[key] !== value));
}
