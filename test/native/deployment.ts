import { equal } from '../../src/json/equal.ts';
import { at, type Json, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import {
  annotation,
  controllerReference,
  mapAt,
  nameAndNamespace,
  nameHash,
  numberAt,
  TEMPLATE_HASH,
  templateText,
  timestamp,
  withMembers,
  withMetadata,
} from './fields.ts';
import { isOver } from './replica-set.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** Annotations of a Deployment that its ReplicaSets do not get (util/deployment_util.go). */
const NOT_COPIED: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

/** A limit or a deadline of this value is none. */
const MAX_INT32 = 2147483647;

/** One write to a ReplicaSet, with the object as it is after it. */
export type SetWrite = { readonly write: 'create' | 'update' | 'delete'; readonly replicaSet: JsonMap };

/** What one sync of a Deployment writes. */
export type DeploymentSync = {
  /** In the order in which they are made. */
  readonly writes: readonly SetWrite[];
  /** The Deployment's `status`; the very same value as before where it has not changed. */
  readonly status: JsonMap;
  /** The annotation `deployment.kubernetes.io/revision`, written together with the status; undefined: it stays. */
  readonly revision: string | undefined;
};

/**
 * One sync of the Deployment controller of Kubernetes 1.36 (k8s.io/kubernetes v1.36.3, pkg/controller/deployment: sync.go,
 * rolling.go, recreate.go, deployment_controller.go), as a pure function.
 *
 * ```
 *  being deleted ──► status only
 *  paused ─────────► scale, clean up
 *  desired-replicas of a set that has pods differs ──► scale
 *  Recreate ───────► old sets to 0; when their pods are gone the new set to its size
 *  RollingUpdate ──► grow the new set, or shrink old ones, or (complete) clean up: one of them in a sync
 * ```
 *
 * Where the current set's annotations or minReadySeconds have to be written first, an unpaused Deployment gets no
 * further: the next read within the same sync comes from a cache that does not know of that write, and writes in vain.
 *
 * Left out: conditions and the events, which nothing here depends on, and the annotation `deprecated…rollback.to`.
 *
 * @param replicaSets those that the Deployment controls, with their status
 * @param pods all pods of these sets that exist, those that are being deleted among them; only Recreate looks at them
 * @param now milliseconds since 1970; the time at which a new set is created
 */
export function syncDeployment(
  deployment: JsonMap,
  replicaSets: readonly JsonMap[],
  pods: readonly JsonMap[],
  now: number,
): DeploymentSync {
  const d = readDeployment(deployment);
  const sets = replicaSets.map(readSet).sort(byCreation);
  // Of several with the same template the oldest counts.
  const current = sets.find((set) => templateText(at(set.object, ['spec', 'template'])) === d.template);
  const old = sets.filter((set) => set !== current);
  const writes: SetWrite[] = [];
  const annotated = current === undefined ? undefined : annotatedSet(d, current, old);
  if (annotated !== undefined) writes.push({ write: 'update', replicaSet: annotated.object });
  if (annotated !== undefined && !d.isPaused && !d.isDeleting) {
    return { writes, status: d.status, revision: undefined };
  }
  const round: Round = { d, old, current: annotated ?? current, pods, now, writes };
  const created = carryOut(round);
  const seen = created === undefined ? round : { ...round, current: created };
  return { writes, status: statusOf(seen), revision: revisionOf(seen, annotated) };
}

type Deployment = {
  readonly object: JsonMap;
  readonly name: string;
  readonly replicas: number;
  readonly isPaused: boolean;
  readonly isDeleting: boolean;
  readonly isRolling: boolean;
  /** `maxSurge` and `maxUnavailable` in pods, as they count for a rolling update; 0 otherwise. */
  readonly surge: number;
  readonly unavailable: number;
  readonly minReadySeconds: number;
  readonly template: string;
  readonly status: JsonMap;
};

type ReplicaSet = {
  readonly object: JsonMap;
  readonly name: string;
  readonly created: string;
  /** `spec.replicas`. */
  readonly replicas: number;
  /** `status.availableReplicas`. */
  readonly available: number;
};

type Round = {
  readonly d: Deployment;
  readonly old: readonly ReplicaSet[];
  readonly current: ReplicaSet | undefined;
  readonly pods: readonly JsonMap[];
  readonly now: number;
  readonly writes: SetWrite[];
};

/** @returns the set that was created. */
function carryOut(round: Round): ReplicaSet | undefined {
  const { d } = round;
  if (d.isDeleting) return undefined;
  if (d.isPaused) {
    scale(round);
    cleanUp(round);
    return undefined;
  }
  if (isScalingEvent(round)) {
    scale(round);
    return undefined;
  }
  return d.isRolling ? roll(round) : recreate(round);
}

function readDeployment(object: JsonMap): Deployment {
  const replicas = numberAt(object, 1, 'spec', 'replicas');
  const isRolling = stringAt(object, 'spec', 'strategy', 'type') !== 'Recreate';
  const bounds = fenceposts(mapAt(object, 'spec', 'strategy', 'rollingUpdate'), replicas);
  return {
    object,
    name: nameAndNamespace(object).name,
    replicas,
    isPaused: at(object, ['spec', 'paused']) === true,
    isDeleting: stringAt(object, 'metadata', 'deletionTimestamp') !== undefined,
    isRolling,
    surge: isRolling ? bounds.surge : 0,
    unavailable: isRolling && replicas > 0 ? Math.min(bounds.unavailable, replicas) : 0,
    minReadySeconds: numberAt(object, 0, 'spec', 'minReadySeconds'),
    template: templateText(at(object, ['spec', 'template'])),
    status: mapAt(object, 'status'),
  };
}

/**
 * What `maxSurge` (rounded up) and `maxUnavailable` (rounded down) come to, in pods. Were both 0 nothing could ever move,
 * so one pod may be unavailable then.
 */
export function fenceposts(
  { maxSurge, maxUnavailable }: JsonMap,
  replicas: number,
): { readonly surge: number; readonly unavailable: number } {
  const surge = share(maxSurge, replicas, Math.ceil);
  const unavailable = share(maxUnavailable, replicas, Math.floor);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

function share(bound: Json | undefined, of: number, round: (value: number) => number): number {
  if (typeof bound === 'number') return bound;
  return typeof bound === 'string' ? round((Number.parseInt(bound, 10) * of) / 100) : 0;
}

function readSet(object: JsonMap): ReplicaSet {
  return {
    object,
    name: nameAndNamespace(object).name,
    created: stringAt(object, 'metadata', 'creationTimestamp') ?? '',
    replicas: numberAt(object, 1, 'spec', 'replicas'),
    available: numberAt(object, 0, 'status', 'availableReplicas'),
  };
}

function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  return compared(a.created, b.created) || compared(a.name, b.name);
}

function compared(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The current set with what it takes over from its Deployment; undefined when it has all of it. */
function annotatedSet(d: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): ReplicaSet | undefined {
  const before = mapAt(current.object, 'metadata', 'annotations');
  const annotations = { ...before, ...copied(d), ...revised(before, maxRevision(old) + 1) };
  const minReady = numberAt(current.object, 0, 'spec', 'minReadySeconds');
  if (equal(before, annotations) && minReady === d.minReadySeconds) return undefined;
  const spec = withMembers(mapAt(current.object, 'spec'), { minReadySeconds: d.minReadySeconds || undefined });
  return readSet(withMetadata({ ...current.object, spec }, { annotations }));
}

function copied({ object }: Deployment): JsonMap {
  const own = Object.entries(mapAt(object, 'metadata', 'annotations'));
  return Object.fromEntries(own.filter(([key]) => !NOT_COPIED.has(key)));
}

/** The current set has the highest revision; one that becomes current again remembers those that it had. */
function revised(before: JsonMap, revision: number): JsonMap {
  const [known, history] = [stringAt(before, REVISION), stringAt(before, REVISION_HISTORY)];
  if (Number(known ?? 0) >= revision) return {};
  const past = known === undefined ? {} : { [REVISION_HISTORY]: history ? `${history},${known}` : known };
  return { [REVISION]: String(revision), ...past };
}

function revisionNumber(set: ReplicaSet): number {
  return Number(annotation(set.object, REVISION) ?? 0);
}

function maxRevision(sets: readonly ReplicaSet[]): number {
  return Math.max(0, ...sets.map(revisionNumber));
}

/** The Deployment's revision is that of its current set, once nothing of the set is left to write. */
function revisionOf({ d, current }: Round, annotated: ReplicaSet | undefined): string | undefined {
  if (current === undefined || annotated !== undefined) return undefined;
  const revision = annotation(current.object, REVISION);
  return revision === annotation(d.object, REVISION) ? undefined : revision;
}

function created(round: Round): ReplicaSet {
  const { d, old, now, writes } = round;
  const template = mapAt(d.object, 'spec', 'template');
  const collisions = at(d.status, ['collisionCount']);
  const hash = nameHash(typeof collisions === 'number' ? `${d.template} ${collisions}` : d.template);
  const labels = { ...mapAt(template, 'metadata', 'labels'), [TEMPLATE_HASH]: hash };
  const selector = mapAt(d.object, 'spec', 'selector');
  const set = readSet({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${d.name}-${hash}`,
      namespace: nameAndNamespace(d.object).namespace,
      creationTimestamp: timestamp(now),
      labels,
      annotations: { ...copied(d), ...revised({}, maxRevision(old) + 1), ...sizeAnnotations(d) },
      ownerReferences: [controllerReference(d.object)],
    },
    spec: {
      replicas: d.isRolling ? grown(d, [...old, EMPTY], EMPTY) : d.replicas,
      ...(d.minReadySeconds === 0 ? {} : { minReadySeconds: d.minReadySeconds }),
      selector: { ...selector, matchLabels: { ...mapAt(selector, 'matchLabels'), [TEMPLATE_HASH]: hash } },
      template: { ...template, metadata: { ...mapAt(template, 'metadata'), labels } },
    },
  });
  writes.push({ write: 'create', replicaSet: set.object });
  return set;
}

const EMPTY: ReplicaSet = { object: {}, name: '', created: '', replicas: 0, available: 0 };

function sizeAnnotations({ replicas, surge }: Deployment): JsonMap {
  return { [DESIRED_REPLICAS]: String(replicas), [MAX_REPLICAS]: String(replicas + surge) };
}

/** Some set that has pods was made for another size of the Deployment. */
function isScalingEvent({ d, old, current }: Round): boolean {
  return active([...old, ...listed(current)]).some((set) => {
    const desired = wholeNumber(annotation(set.object, DESIRED_REPLICAS));
    return desired !== undefined && desired !== d.replicas;
  });
}

function listed(set: ReplicaSet | undefined): readonly ReplicaSet[] {
  return set === undefined ? [] : [set];
}

function active(sets: readonly ReplicaSet[]): ReplicaSet[] {
  return sets.filter(({ replicas }) => replicas > 0);
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) && Number(text) <= MAX_INT32 ? Number(text) : undefined;
}

function sum(sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number): number {
  return sets.reduce((total, set) => total + count(set), 0);
}

function size(sets: readonly ReplicaSet[]): number {
  return sum(sets, ({ replicas }) => replicas);
}

/** Gives a set another size, and the annotations that say for which size of the Deployment. */
function resize({ d, writes }: Round, set: ReplicaSet, replicas: number, always: 'always' | 'if another'): ReplicaSet {
  if (always === 'if another' && set.replicas === replicas) return set;
  const before = mapAt(set.object, 'metadata', 'annotations');
  const annotations = { ...before, ...sizeAnnotations(d) };
  if (set.replicas === replicas && equal(before, annotations)) return set;
  const spec = { ...mapAt(set.object, 'spec'), replicas };
  const after = readSet(withMetadata({ ...set.object, spec }, { annotations }));
  writes.push({ write: 'update', replicaSet: after.object });
  return after;
}

/**
 * A paused Deployment, or one whose size has changed: the only set that has pods takes the whole size (without any, the
 * newest does); a new set that is full and available empties the old ones; else all sets scale in proportion.
 */
function scale(round: Round): void {
  const { d, current } = round;
  const old = round.old.toReversed();
  const living = active([...old, ...listed(current)]);
  const only = living.length > 1 ? undefined : (living[0] ?? current ?? old[0]);
  if (only !== undefined) resize(round, only, d.replicas, 'if another');
  else if (living.length === 0) return;
  else if (isSaturated(d, current)) for (const set of active(old)) resize(round, set, 0, 'if another');
  else if (d.isRolling) scaleInProportion(round, living);
}

function isSaturated(d: Deployment, set: ReplicaSet | undefined): boolean {
  if (set === undefined) return false;
  const desired = wholeNumber(annotation(set.object, DESIRED_REPLICAS));
  return [set.replicas, desired, set.available].every((count) => count === d.replicas);
}

function scaleInProportion(round: Round, living: readonly ReplicaSet[]): void {
  const { d } = round;
  const toAdd = (d.replicas > 0 ? d.replicas + d.surge : 0) - size(living);
  // From the larger to the smaller; of equal ones newer sets grow first, and older ones shrink first.
  const direction = toAdd > 0 ? -1 : 1;
  const bySize = [...living].sort((a, b) => b.replicas - a.replicas || direction * byCreation(a, b));
  const ordered = toAdd === 0 ? living : bySize;
  const sizes: number[] = [];
  let added = 0;
  for (const set of ordered) {
    const change = toAdd === 0 ? 0 : proportion(d, set, toAdd, added);
    added += change;
    sizes.push(set.replicas + change);
  }
  ordered.forEach((set, i) => {
    // What rounding leaves over goes to the largest.
    const replicas = i === 0 ? Math.max(0, (sizes[i] ?? 0) + toAdd - added) : (sizes[i] ?? 0);
    resize(round, set, replicas, 'always');
  });
}

function proportion(d: Deployment, set: ReplicaSet, toAdd: number, added: number): number {
  if (toAdd === added) return 0;
  const [fraction, allowed] = [fractionOf(d, set), toAdd - added];
  return toAdd > 0 ? Math.min(fraction, allowed) : Math.max(fraction, allowed);
}

/** How much a set grows when it keeps its part of what the Deployment had at most, and has at most now. */
function fractionOf(d: Deployment, set: ReplicaSet): number {
  if (d.replicas === 0) return -set.replicas;
  const before = wholeNumber(annotation(set.object, MAX_REPLICAS)) || numberAt(d.status, 0, 'replicas');
  if (before === 0) return 0;
  return Math.trunc((set.replicas * (d.replicas + d.surge)) / before + 0.5) - set.replicas;
}

/** One move of a rolling update: up, or down, or the end. */
function roll(round: Round): ReplicaSet | undefined {
  const { d, old, current } = round;
  const made = current === undefined ? created(round) : undefined;
  const newSet = current ?? made ?? EMPTY;
  if (reconcileNew(round, newSet) === 'resized') return made;
  if (reconcileOld(round, newSet) === 'resized') return made;
  if (isComplete(d)) cleanUp({ ...round, old });
  return made;
}

function reconcileNew(round: Round, newSet: ReplicaSet): 'resized' | 'as it was' {
  const { d, old } = round;
  if (newSet.replicas === d.replicas) return 'as it was';
  const wanted = newSet.replicas > d.replicas ? d.replicas : grown(d, [...old, newSet], newSet);
  return resize(round, newSet, wanted, 'if another') === newSet ? 'as it was' : 'resized';
}

/** As many pods as may exist beside the others, and never more than the Deployment's size. */
function grown(d: Deployment, all: readonly ReplicaSet[], newSet: ReplicaSet): number {
  const room = d.replicas + d.surge - size(all);
  return room <= 0 ? newSet.replicas : newSet.replicas + Math.min(room, d.replicas - newSet.replicas);
}

/** First the pods of old sets that are not available anyway, then as many as may be missing; from the oldest set on. */
function reconcileOld(round: Round, newSet: ReplicaSet): 'resized' | 'as it was' {
  const { d } = round;
  const old = active(round.old);
  const least = d.replicas - d.unavailable;
  const notYetAvailable = newSet.replicas - newSet.available;
  const atMost = size([...round.old, newSet]) - least - notYetAvailable;
  if (old.length === 0 || atMost <= 0) return 'as it was';
  const unhealthy = shrink(round, old, atMost, ({ replicas, available }) => replicas - available);
  if (unhealthy === 'refused') return 'as it was';
  const spare = sum([...unhealthy.sets, newSet], ({ available }) => available) - least;
  const healthy = shrink(round, unhealthy.sets, spare, ({ replicas }) => replicas);
  if (healthy === 'refused') return 'as it was';
  return unhealthy.count + healthy.count > 0 ? 'resized' : 'as it was';
}

/**
 * Takes pods from the sets, the oldest first.
 *
 * @returns `refused` at a set of which more pods are available than it is to have: its status is not up to date, and
 *   nothing more is done in this sync. What was resized before stays so.
 */
function shrink(
  round: Round,
  sets: readonly ReplicaSet[],
  atMost: number,
  spareOf: (set: ReplicaSet) => number,
): { readonly sets: readonly ReplicaSet[]; readonly count: number } | 'refused' {
  const after: ReplicaSet[] = [];
  let count = 0;
  for (const set of sets) {
    const less = count >= atMost || set.replicas === 0 ? 0 : Math.min(atMost - count, spareOf(set));
    if (less < 0) return 'refused';
    count += less;
    after.push(resize(round, set, set.replicas - less, 'if another'));
  }
  return { sets: after, count };
}

function recreate(round: Round): ReplicaSet | undefined {
  const { d, old, current, pods } = round;
  const living = active(old);
  for (const set of living) resize(round, set, 0, 'if another');
  if (living.length > 0 || sum(old, ({ object }) => numberAt(object, 0, 'status', 'replicas')) > 0) return undefined;
  const ofCurrent = current && stringAt(current.object, 'metadata', 'uid');
  if (pods.some((pod) => !isOver(pod) && ownerOf(pod) !== ofCurrent)) return undefined;
  const made = current === undefined ? created(round) : undefined;
  resize(round, current ?? made ?? EMPTY, d.replicas, 'if another');
  if (isComplete(d)) cleanUp(round);
  return made;
}

function ownerOf(pod: JsonMap): string | undefined {
  return stringAt(pod, 'metadata', 'ownerReferences', 0, 'uid');
}

/** By the status that is stored: what this sync finds out counts in the next one. */
function isComplete({ status, replicas, object }: Deployment): boolean {
  const counts = ['updatedReplicas', 'replicas', 'availableReplicas'].map((key) => numberAt(status, 0, key));
  const observed = numberAt(status, 0, 'observedGeneration');
  return counts.every((count) => count === replicas) && observed >= numberAt(object, 0, 'metadata', 'generation');
}

/** Deletes old sets beyond `revisionHistoryLimit`, the oldest revisions first, but none that has or may have pods. */
function cleanUp({ d, old, writes }: Round): void {
  const limit = member(d.object['spec'], 'revisionHistoryLimit');
  if (typeof limit !== 'number' || limit === MAX_INT32) return;
  const alive = old.filter(({ object }) => stringAt(object, 'metadata', 'deletionTimestamp') === undefined);
  const byRevision = [...alive].sort((a, b) => revisionNumber(a) - revisionNumber(b) || byCreation(a, b));
  for (const set of byRevision.slice(0, Math.max(0, alive.length - limit))) {
    const { object, replicas } = set;
    const observed = numberAt(object, 0, 'status', 'observedGeneration');
    const isEmpty = replicas === 0 && numberAt(object, 0, 'status', 'replicas') === 0;
    if (isEmpty && numberAt(object, 0, 'metadata', 'generation') <= observed)
      writes.push({ write: 'delete', replicaSet: object });
  }
}

/** Counted from the sets as they were before this sync resized them. */
function statusOf({ d, old, current }: Round): JsonMap {
  const all = [...old, ...listed(current)];
  const count = (sets: readonly ReplicaSet[], key: string) =>
    sum(sets, ({ object }) => numberAt(object, 0, 'status', key));
  const available = count(all, 'availableReplicas');
  const status = withMembers(d.status, {
    observedGeneration: numberAt(d.object, 0, 'metadata', 'generation') || undefined,
    replicas: count(all, 'replicas') || undefined,
    updatedReplicas: count(listed(current), 'replicas') || undefined,
    readyReplicas: count(all, 'readyReplicas') || undefined,
    availableReplicas: available || undefined,
    unavailableReplicas: Math.max(0, size(all) - available) || undefined,
    terminatingReplicas: count(all, 'terminatingReplicas'),
  });
  return equal(status, d.status) ? d.status : status;
}
