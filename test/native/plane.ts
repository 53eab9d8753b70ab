import { at, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { syncDeployment } from './deployment.ts';
import { mapAt, nameAndNamespace, numberAt, withMembers, withMetadata } from './fields.ts';

/** `minReadySeconds` under which no pod counts as available while a test lasts. */
export const MAX = 2147483646;

/** How soon pods are ready: `prompt`: before anything else happens; `late`: when nothing else happens any more. */
export type Kubelet = 'prompt' | 'late';

type Pods = { ready: number; unready: number };

/**
 * One Deployment and its ReplicaSets, whose pods are only counted: what the arithmetic of the Deployment controller needs,
 * and no more. Versions are told by the image of the template.
 */
export class Plane {
  deployment: JsonMap;
  readonly sets = new Map<string, JsonMap>();
  /** What a webhook makes of a ReplicaSet that the Deployment controller updates. */
  admit: (set: JsonMap) => JsonMap = (set) => set;
  /** Told after each change. */
  onChange: () => void = () => undefined;
  readonly #pods = new Map<string, Pods>();
  #now = Date.UTC(2026, 0, 1);
  #uid = 0;

  /** All pods of `v1` are there and available. */
  constructor(replicas: number, spec: JsonMap = {}) {
    this.deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace: 'shop', name: 'web', uid: 'web', generation: 1 },
      spec: {
        replicas,
        selector: { matchLabels: { app: 'web' } },
        template: templateOf('v1'),
        revisionHistoryLimit: 10,
        ...rollingUpdate('25%', '25%'),
        ...spec,
      },
    };
    this.settle('prompt');
  }

  /** Changes fields of the Deployment's spec in one write; undefined takes one out. */
  change(members: { readonly [key: string]: Json | undefined }): this {
    const generation = numberAt(this.deployment, 0, 'metadata', 'generation') + 1;
    const spec = withMembers(mapAt(this.deployment, 'spec'), members);
    this.deployment = withMetadata({ ...this.deployment, spec }, { generation });
    return this;
  }

  /** Gives a ReplicaSet another size, as anybody may. */
  resize(version: string, replicas: number): this {
    const set = this.#setOf(version);
    return this.#store({ ...set, spec: { ...mapAt(set, 'spec'), replicas } });
  }

  minReadySeconds(version: string, seconds: number): this {
    const set = this.#setOf(version);
    return this.#store({ ...set, spec: withMembers(mapAt(set, 'spec'), { minReadySeconds: seconds || undefined }) });
  }

  deleteSet(version: string): this {
    this.sets.delete(nameAndNamespace(this.#setOf(version)).name);
    return this;
  }

  /**
   * Lets controllers and pods work until nothing changes.
   * @throws when that takes longer than any rolling update can
   */
  settle(kubelet: Kubelet): this {
    for (let round = 0; round < 10_000; round++) {
      if (kubelet === 'prompt') this.#startPods();
      const isStill = !this.#syncSets() && !this.#syncDeployment();
      if (isStill && !this.#startPods()) return this;
    }
    throw new Error(`it never comes to rest: ${this}`);
  }

  /** Pods that a version is to have. */
  size(version: string): number {
    const set = this.#find(version);
    return set === undefined ? 0 : numberAt(set, 0, 'spec', 'replicas');
  }

  ready(version: string): number {
    const set = this.#find(version);
    return set === undefined ? 0 : this.#podsOf(set).ready;
  }

  get readyPods(): number {
    return [...this.#pods.values()].reduce((total, { ready }) => total + ready, 0);
  }

  /** `v1 7/7, v2 3/0`: size and available pods of each version that has pods or is meant to. */
  toString(): string {
    const sets = [...this.sets.values()].filter((set) => numberAt(set, 0, 'spec', 'replicas') > 0);
    return sets.map((set) => `${versionOf(set)} ${sizeOf(set)}`).join(', ');
  }

  #startPods(): boolean {
    let started = false;
    for (const pods of this.#pods.values()) {
      started ||= pods.unready > 0;
      pods.ready += pods.unready;
      pods.unready = 0;
    }
    if (started) this.onChange();
    return started;
  }

  #syncDeployment(): boolean {
    const { writes, status, revision } = syncDeployment(this.deployment, [...this.sets.values()], [], this.#now);
    for (const { write, replicaSet } of writes) {
      this.#now += 1000;
      if (write === 'delete') this.sets.delete(nameAndNamespace(replicaSet).name);
      else this.#store(write === 'create' ? this.#identified(replicaSet) : this.admit(replicaSet));
    }
    const isNews = writes.length > 0 || revision !== undefined || status !== mapAt(this.deployment, 'status');
    const annotations = revision === undefined ? {} : { 'deployment.kubernetes.io/revision': revision };
    const merged = { ...mapAt(this.deployment, 'metadata', 'annotations'), ...annotations };
    this.deployment = withMetadata({ ...this.deployment, status }, { annotations: merged });
    return isNews;
  }

  #identified(set: JsonMap): JsonMap {
    this.#uid += 1;
    return withMetadata(set, { uid: `set-${this.#uid}`, generation: 0 });
  }

  /** ReplicaSets create and delete pods, those that are not ready first, and count them. */
  #syncSets(): boolean {
    let isNews = false;
    for (const [name, set] of this.sets) {
      const pods = this.#podsOf(set);
      const missing = numberAt(set, 0, 'spec', 'replicas') - pods.ready - pods.unready;
      if (missing > 0) pods.unready += missing;
      const unready = Math.min(pods.unready, Math.max(0, -missing));
      pods.unready -= unready;
      pods.ready -= Math.max(0, -missing) - unready;
      if (missing !== 0) this.onChange();
      const status = statusOf(set, pods);
      if (JSON.stringify(status) === JSON.stringify(mapAt(set, 'status'))) continue;
      isNews = true;
      this.sets.set(name, { ...set, status });
    }
    return isNews;
  }

  #store(set: JsonMap): this {
    const generation = numberAt(set, 0, 'metadata', 'generation') + 1;
    this.sets.set(nameAndNamespace(set).name, withMetadata(set, { generation }));
    this.onChange();
    return this;
  }

  #podsOf(set: JsonMap): Pods {
    const { name } = nameAndNamespace(set);
    const known = this.#pods.get(name) ?? { ready: 0, unready: 0 };
    this.#pods.set(name, known);
    return known;
  }

  #find(version: string): JsonMap | undefined {
    return [...this.sets.values()].find((set) => versionOf(set) === version);
  }

  #setOf(version: string): JsonMap {
    const set = this.#find(version);
    if (set === undefined) throw new Error(`there is no ReplicaSet of ${version}`);
    return set;
  }
}

export function templateOf(version: string): JsonMap {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: version }] } };
}

/** Bounds of a rolling update, as part of a spec. */
export function rollingUpdate(maxUnavailable: number | string, maxSurge: number | string): { strategy: JsonMap } {
  return { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } };
}

function versionOf(set: JsonMap): string {
  return stringAt(set, 'spec', 'template', 'spec', 'containers', 0, 'image') ?? '';
}

function sizeOf(set: JsonMap): string {
  return `${at(set, ['spec', 'replicas'])}/${numberAt(set, 0, 'status', 'availableReplicas')}`;
}

function statusOf(set: JsonMap, { ready, unready }: Pods): JsonMap {
  const isEver = numberAt(set, 0, 'spec', 'minReadySeconds') < MAX;
  return {
    replicas: ready + unready,
    readyReplicas: ready,
    availableReplicas: isEver ? ready : 0,
    observedGeneration: numberAt(set, 0, 'metadata', 'generation'),
  };
}
