import { equal } from '../../src/json/equal.ts';
import { type JsonMap, stringAt } from '../../src/json/value.ts';
import {
  annotation,
  controllerReference,
  isTerminating,
  listAt,
  mapAt,
  nameAndNamespace,
  numberAt,
  timestamp,
  uidOf,
  withMembers,
} from './fields.ts';

/** The lower it is, the sooner a pod goes (controller_utils.go). */
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/** What one sync of a ReplicaSet does. */
export type ReplicaSetSync = {
  /** How many pods are missing. */
  readonly create: number;
  /** The pods to delete. */
  readonly delete: readonly JsonMap[];
  /** The set's `status`, counted before pods come or go; the very same value as before where it has not changed. */
  readonly status: JsonMap;
  /** Milliseconds until the next pod counts as available; undefined when none is on its way. */
  readonly checkAfter: number | undefined;
};

/**
 * One sync of the ReplicaSet controller of Kubernetes 1.36 (pkg/controller/replicaset/replica_set.go,
 * replica_set_utils.go), as a pure function. Pods are taken as claimed: adoption and release are left out, and so are
 * nodes, restarts and the burst limit of 500.
 *
 * @param pods all pods that the set controls, those that are being deleted among them
 * @param now milliseconds since 1970
 */
export function syncReplicaSet(set: JsonMap, pods: readonly JsonMap[], now: number): ReplicaSetSync {
  const active = pods.filter(isActive);
  const missing = numberAt(set, 1, 'spec', 'replicas') - active.length;
  const isDeleting = isTerminating(set);
  return {
    create: isDeleting ? 0 : Math.max(0, missing),
    delete: isDeleting ? [] : podsToDelete(active, Math.max(0, -missing), now),
    status: statusOf(set, pods, now),
    checkAfter: nextCheck(active, minReadySeconds(set), now),
  };
}

/** A new pod of the set: `name` is made by the caller, as the API server makes it from `generateName`. */
export function podOf(set: JsonMap, name: string, now: number): JsonMap {
  const template = mapAt(set, 'spec', 'template');
  const { namespace } = nameAndNamespace(set);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...mapAt(template, 'metadata'),
      name,
      namespace,
      creationTimestamp: timestamp(now),
      ownerReferences: [controllerReference(set)],
    },
    spec: mapAt(template, 'spec'),
    status: { phase: 'Pending' },
  };
}

/** The pod as the kubelet reports it once its containers run; `readiness` is its condition `Ready`. */
export function runningPod(pod: JsonMap, ip: string, readiness: 'True' | 'False', now: number): JsonMap {
  const [before] = listAt(pod, 'status', 'conditions');
  const isSame = stringAt(before, 'status') === readiness;
  const since = isSame ? (stringAt(before, 'lastTransitionTime') ?? '') : timestamp(now);
  const ready = { type: 'Ready', status: readiness, lastTransitionTime: since };
  return { ...pod, status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [ready] } };
}

export function isReady(pod: JsonMap): boolean {
  const ready = listAt(pod, 'status', 'conditions').find((each) => stringAt(each, 'type') === 'Ready');
  return stringAt(ready, 'status') === 'True';
}

/** True for pods that count: neither over nor being deleted. */
export function isActive(pod: JsonMap): boolean {
  return !isOver(pod) && !isTerminating(pod);
}

/** True for pods that ran to their end. */
export function isOver(pod: JsonMap): boolean {
  const phase = stringAt(pod, 'status', 'phase');
  return phase === 'Failed' || phase === 'Succeeded';
}

function minReadySeconds(set: JsonMap): number {
  return numberAt(set, 0, 'spec', 'minReadySeconds');
}

function statusOf(set: JsonMap, pods: readonly JsonMap[], now: number): JsonMap {
  const active = pods.filter(isActive);
  const ready = active.filter(isReady);
  const available = ready.filter((pod) => availableIn(pod, minReadySeconds(set), now) <= 0);
  const before = mapAt(set, 'status');
  const counts = {
    replicas: active.length,
    fullyLabeledReplicas: active.length || undefined,
    readyReplicas: ready.length || undefined,
    availableReplicas: available.length || undefined,
    terminatingReplicas: pods.filter((pod) => isTerminating(pod) && !isOver(pod)).length,
    observedGeneration: numberAt(set, 0, 'metadata', 'generation') || undefined,
  };
  const status = withMembers(before, counts);
  return equal(status, before) ? before : status;
}

/** Milliseconds until a ready pod has been ready for so long. */
function availableIn(pod: JsonMap, seconds: number, now: number): number {
  return seconds === 0 ? 0 : readySince(pod) + seconds * 1000 - now;
}

function readySince(pod: JsonMap): number {
  const ready = listAt(pod, 'status', 'conditions').find((each) => stringAt(each, 'type') === 'Ready');
  return Date.parse(stringAt(ready, 'lastTransitionTime') ?? '') || 0;
}

function nextCheck(active: readonly JsonMap[], seconds: number, now: number): number | undefined {
  const waits = active.filter(isReady).map((pod) => availableIn(pod, seconds, now));
  const open = waits.filter((wait) => wait > 0);
  return open.length === 0 ? undefined : Math.min(...open);
}

/** The pods that are missed least: not running, not ready, cheap, ready for the shortest time, newest. */
function podsToDelete(active: readonly JsonMap[], count: number, now: number): readonly JsonMap[] {
  if (count === active.length) return active;
  return [...active].sort((a, b) => compared(a, b, now)).slice(0, count);
}

function compared(a: JsonMap, b: JsonMap, now: number): number {
  return (
    phaseOrder(a) - phaseOrder(b) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    deletionCost(a) - deletionCost(b) ||
    (isReady(a) ? byAge(a, b, readySince, now) : 0) ||
    byAge(a, b, createdAt, now)
  );
}

function phaseOrder(pod: JsonMap): number {
  return ['Pending', 'Unknown', 'Running'].indexOf(stringAt(pod, 'status', 'phase') ?? '');
}

function deletionCost(pod: JsonMap): number {
  return Number(annotation(pod, DELETION_COST) ?? 0) || 0;
}

function createdAt(pod: JsonMap): number {
  return Date.parse(stringAt(pod, 'metadata', 'creationTimestamp') ?? '') || 0;
}

/** Younger ones first. Ages are compared by their order of magnitude, and within one by uid: as good as at random. */
function byAge(a: JsonMap, b: JsonMap, since: (pod: JsonMap) => number, now: number): number {
  if (since(a) === since(b)) return 0;
  return magnitude(now - since(a)) - magnitude(now - since(b)) || (uidOf(a) < uidOf(b) ? -1 : 1);
}

/** Of the age in nanoseconds, as Go's durations are. */
function magnitude(milliseconds: number): number {
  return milliseconds <= 0 ? -1 : Math.trunc(Math.log2(milliseconds * 1e6));
}
