import type { Json, JsonMap } from '../../../src/json/value.ts';
import { DESIRED_REPLICAS, MAX_REPLICAS, REVISION, type SetWrite } from '../deployment.ts';
import { controllerReference, mapAt, nameAndNamespace, numberAt, TEMPLATE_HASH, timestamp } from '../fields.ts';
import { MAX, templateOf } from '../plane.ts';
import { seeded } from '../random.ts';

/** What one sync of a Deployment looks at. */
export type SyncCase = {
  readonly deployment: JsonMap;
  readonly replicaSets: readonly JsonMap[];
  readonly pods: readonly JsonMap[];
};

export const NOW = Date.UTC(2026, 0, 2);

/** Annotations that a set was given by somebody else, or not at all, are among the cases. */
const ODD_SIZES = ['x', '', '0', '3', '13'];

/** As many cases, the same for the same seed: sets of every size and state, whether or not they go together. */
export function casesOf(seed: number, count: number): SyncCase[] {
  const dice = new Dice(seed);
  return Array.from({ length: count }, () => caseOf(dice));
}

class Dice {
  readonly #random: () => number;
  constructor(seed: number) {
    this.#random = seeded(seed);
  }
  /** A number below the limit. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
  one<T>(first: T, ...others: readonly T[]): T {
    return others[this.below(others.length + 1) - 1] ?? first;
  }
  /** The members with so much of a chance, none otherwise. */
  maybe(chance: number, members: () => JsonMap): JsonMap {
    return this.#random() < chance ? members() : {};
  }
  happens(chance: number): boolean {
    return this.#random() < chance;
  }
}

function caseOf(dice: Dice): SyncCase {
  const replicas = dice.one(0, 1, 2, 3, 4, 5, 7, 10, 12, 20, 33);
  const deployment = deploymentOf(dice, replicas);
  const replicaSets = Array.from({ length: dice.below(5) }, (_, i) => setOf(dice, deployment, i));
  const pods = replicaSets.flatMap((set) => (dice.happens(0.2) ? [podOf(dice, set)] : []));
  return { deployment, replicaSets, pods };
}

function deploymentOf(dice: Dice, replicas: number): JsonMap {
  const generation = 1 + dice.below(4);
  const bound = () =>
    dice.happens(0.5) ? dice.below(replicas + 2) : `${dice.one(0, 1, 25, 30, 33, 43, 50, 80, 100)}%`;
  const rollingUpdate = { maxSurge: bound(), maxUnavailable: bound() };
  const rolling: JsonMap = { type: 'RollingUpdate', rollingUpdate };
  const complete = { replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      namespace: 'shop',
      name: 'web',
      uid: 'web',
      generation,
      annotations: {
        ...dice.maybe(0.7, () => ({ [REVISION]: String(1 + dice.below(5)) })),
        ...dice.maybe(0.6, () => ({ note: dice.one('a', 'b') })),
        ...dice.maybe(0.3, () => ({ 'kubectl.kubernetes.io/last-applied-configuration': '{}' })),
      },
      ...dice.maybe(0.05, () => ({ deletionTimestamp: timestamp(NOW) })),
    },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: templateOf(dice.one('v1', 'v2', 'v3', 'v5')),
      strategy: dice.happens(0.2) ? { type: 'Recreate' } : rolling,
      progressDeadlineSeconds: 2147483647,
      ...dice.maybe(0.4, () => ({ minReadySeconds: dice.one(5, MAX) })),
      ...dice.maybe(0.8, () => ({ revisionHistoryLimit: dice.one(0, 1, 2, 10, 2147483647) })),
      ...dice.maybe(0.35, () => ({ paused: true })),
    },
    status: dice.happens(0.4)
      ? { observedGeneration: generation, ...complete }
      : {
          observedGeneration: generation - 1,
          replicas: dice.below(replicas + 3),
          readyReplicas: dice.below(replicas + 1),
        },
  };
}

function setOf(dice: Dice, deployment: JsonMap, index: number): JsonMap {
  const size = numberAt(deployment, 0, 'spec', 'replicas');
  const version = dice.one('v1', 'v2', 'v3', 'v4');
  const replicas = dice.happens(0.3) ? 0 : dice.one(size, dice.below(size + 3), dice.below(size + 3));
  const there = dice.happens(0.7) ? replicas : dice.below(size + 3);
  const ready = dice.happens(0.6) ? there : dice.below(there + 1);
  const available = dice.happens(0.6) ? ready : dice.below(ready + 1);
  const labels = { app: 'web', [TEMPLATE_HASH]: version };
  const generation = 1 + dice.below(3);
  const minReady = dice.happens(0.3) ? dice.one<Json>(5, MAX) : mapAt(deployment, 'spec')['minReadySeconds'];
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      namespace: 'shop',
      name: `web-${version}-${index}`,
      uid: `web-${version}-${index}`,
      generation,
      // Sets of one second are told apart by their names.
      creationTimestamp: timestamp(NOW - 10_000 + dice.below(4) * 1000),
      labels,
      annotations: {
        ...dice.maybe(0.9, () => ({ [REVISION]: String(1 + dice.below(6)) })),
        ...dice.maybe(0.1, () => ({ 'deployment.kubernetes.io/revision-history': '1,3' })),
        ...dice.maybe(0.9, () => ({
          [DESIRED_REPLICAS]: dice.happens(0.6) ? String(size) : dice.one('10', ...ODD_SIZES),
        })),
        ...dice.maybe(0.9, () => ({
          [MAX_REPLICAS]: dice.happens(0.5) ? String(size + dice.below(4)) : dice.one('5', ...ODD_SIZES),
        })),
        ...dice.maybe(0.5, () => ({ note: dice.one('a', 'b') })),
      },
      ...dice.maybe(0.05, () => ({ deletionTimestamp: timestamp(NOW), finalizers: ['x'] })),
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas,
      ...(minReady === undefined ? {} : { minReadySeconds: minReady }),
      selector: { matchLabels: labels },
      template: { ...templateOf(version), metadata: { labels } },
    },
    status: {
      replicas: there,
      readyReplicas: ready,
      availableReplicas: available,
      terminatingReplicas: dice.below(3),
      observedGeneration: generation - dice.one(0, 0, 0, 1),
    },
  };
}

function podOf(dice: Dice, set: JsonMap): JsonMap {
  const { namespace, name } = nameAndNamespace(set);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace,
      name: `${name}-pod`,
      uid: `${name}-pod`,
      labels: mapAt(set, 'metadata', 'labels'),
      ownerReferences: [controllerReference(set)],
    },
    status: { phase: dice.one('Running', 'Pending', 'Succeeded', 'Failed') },
  };
}

const COUNTS = [
  'observedGeneration',
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'unavailableReplicas',
  'terminatingReplicas',
];

/**
 * One line for what a sync did: each write, the counts of the Deployment's status in the order of their declaration, and its
 * revision. A set that is made goes without its name, whose hash is Go's own.
 */
export function lineOf(writes: readonly SetWrite[], status: JsonMap, revision: string): string {
  const counts = COUNTS.map((key) => numberAt(status, 0, key)).join(' ');
  return [writes.map(textOf).join('; ') || 'nothing', counts, revision || 'none'].join(' | ');
}

function textOf({ write, replicaSet }: SetWrite): string {
  const { name } = nameAndNamespace(replicaSet);
  if (write === 'delete') return `delete ${name}`;
  const annotations = Object.entries(mapAt(replicaSet, 'metadata', 'annotations'))
    .map(([key, value]) => `${key.replace('deployment.kubernetes.io/', '')}=${value}`)
    .sort();
  const sizes = [numberAt(replicaSet, 0, 'spec', 'replicas'), numberAt(replicaSet, 0, 'spec', 'minReadySeconds')];
  return [write === 'create' ? 'create' : name, ...sizes, ...annotations].join(' ');
}
