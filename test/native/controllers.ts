import { equal } from '../../src/json/equal.ts';
import { at, type JsonMap, stringAt } from '../../src/json/value.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import type { Clock } from '../../src/kube/clock.ts';
import { type ObjectName, RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { REVISION, type SetWrite, syncDeployment } from './deployment.ts';
import { endpointSlices } from './endpoints.ts';
import {
  controllerOf,
  isTerminating,
  listAt,
  mapAt,
  nameAndNamespace,
  nameSuffix,
  numberAt,
  ownersOf,
  selects,
  templateText,
  uidOf,
  withMembers,
  withMetadata,
} from './fields.ts';
import type { ObjectIndex, Stored } from './object-index.ts';
import type { Part } from './registry.ts';
import { isActive, isReady, podOf, runningPod, syncReplicaSet } from './replica-set.ts';

export const REPLICA_SET: Resource = {
  group: 'apps',
  version: 'v1',
  plural: 'replicasets',
  kind: 'ReplicaSet',
  namespaced: true,
};

/** How the cluster deletes what an object owns: after it, or before it. */
export type Propagation = 'background' | 'foreground';

export const FOREGROUND = 'foregroundDeletion';

/** Objects as the native controllers find and write them. Writes go the way of every other write. */
export type Store = {
  readonly index: ObjectIndex;
  get(resource: Resource, name: ObjectName): JsonMap | undefined;
  create(who: string, resource: Resource, object: JsonMap): void;
  update(who: string, resource: Resource, object: JsonMap, part: Part): void;
  erase(who: string, resource: Resource, name: ObjectName, propagation: Propagation): void;
};

/** When a pod is ready after its containers run, in milliseconds. */
export type Readiness = number | 'never';

export type NativeOptions = {
  readonly readyAfter: (pod: JsonMap) => Readiness;
  /** How long a pod takes to end once it is deleted. */
  readonly terminatesAfter: number;
};

/** `garbage` is named by the uid of the object. */
type Kind = 'Deployment' | 'ReplicaSet' | 'Pod' | 'Service' | 'garbage';
type Work = { readonly kind: Kind; readonly namespace: string; readonly name: string };

/** What was refused is tried again after so long; the real controllers begin sooner, and take ever longer. */
const RETRY_MILLISECONDS = 1_000;

/**
 * The controller manager and the kubelets of a cluster in memory: what each of them has to look at waits in a set, from which
 * one after the other is taken at random. They act on what is stored, never on an old view of it.
 */
export class NativeControllers {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #options: NativeOptions;
  readonly #waiting = new Map<string, Work>();
  /** Timers by what they are for: one for each set's availability, pod's readiness, pod's end. */
  readonly #timers = new Map<string, () => void>();
  #names = 0;

  constructor(store: Store, clock: Clock, random: () => number, options: NativeOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  /** Something was stored: whoever watches such objects has to look at it. */
  changed({ kind }: Resource, before: JsonMap | undefined, after: JsonMap | undefined): void {
    const object = after ?? before ?? {};
    const name = nameAndNamespace(object);
    switch (kind) {
      case 'Deployment':
        this.#look('Deployment', name);
        break;
      case 'ReplicaSet':
        this.#look('ReplicaSet', name);
        this.#lookAtOwner(object);
        break;
      case 'Pod':
        this.#podChanged(before, after);
        break;
      case 'Service':
        this.#look('Service', name);
        break;
      case 'EndpointSlice':
        this.#lookAtOwner(object);
        break;
    }
    this.#collectable(after, before);
  }

  /** Takes one of those who have to look at something, at random, and lets it. */
  step(): void {
    const index = Math.floor(this.#random() * this.#waiting.size);
    const [key, work] = [...this.#waiting][index] ?? [];
    if (key === undefined || work === undefined) return;
    this.#waiting.delete(key);
    try {
      this.#work(work);
    } catch (error) {
      // Admission may refuse a native controller, too, and somebody may have taken a name; it comes back.
      if (!(error instanceof ApiError)) throw error;
      this.#after(`again ${key}`, RETRY_MILLISECONDS, () => this.#waiting.set(key, work));
    }
  }

  #look(kind: Kind, { namespace = '', name }: ObjectName): void {
    this.#waiting.set(`${kind} ${namespace}/${name}`, { kind, namespace, name });
  }

  #lookAtOwner(object: JsonMap): void {
    const owner = this.#store.index.withUid(controllerOf(object) ?? '');
    if (owner === undefined) return;
    const { kind } = owner.resource;
    if (kind === 'Deployment' || kind === 'ReplicaSet' || kind === 'Service')
      this.#look(kind, nameAndNamespace(owner.object));
  }

  #podChanged(before: JsonMap | undefined, after: JsonMap | undefined): void {
    const pod = after ?? before ?? {};
    this.#lookAtOwner(pod);
    if (after !== undefined) this.#look('Pod', nameAndNamespace(after));
    const { namespace } = nameAndNamespace(pod);
    for (const service of this.#store.index.list(RESOURCES.service, namespace)) {
      const selector = mapAt(service, 'spec', 'selector');
      const isSelected = [before, after].some((each) => selects(selector, mapAt(each, 'metadata', 'labels')));
      if (isSelected) this.#look('Service', nameAndNamespace(service));
    }
  }

  /** What the garbage collector has to look at: objects whose owners have gone, and owners that wait for theirs to go. */
  #collectable(after: JsonMap | undefined, before: JsonMap | undefined): void {
    if (after === undefined) {
      for (const { object } of this.#store.index.dependents(uidOf(before))) this.#collect(object);
      for (const { uid } of ownersOf(before)) {
        const object = this.#store.index.withUid(uid)?.object;
        if (object !== undefined) this.#collect(object);
      }
    } else if (before === undefined || isForeground(after)) this.#collect(after);
  }

  #collect(object: JsonMap): void {
    const uid = uidOf(object);
    this.#waiting.set(`garbage ${uid}`, { kind: 'garbage', namespace: '', name: uid });
  }

  #work({ kind, namespace, name }: Work): void {
    const find = (resource: Resource) => this.#store.get(resource, { namespace, name });
    switch (kind) {
      case 'Deployment':
        this.#syncDeployment(find(RESOURCES.deployment));
        break;
      case 'ReplicaSet':
        this.#syncSet(find(REPLICA_SET));
        break;
      case 'Pod':
        this.#runPod(find(RESOURCES.pod));
        break;
      case 'Service':
        this.#syncEndpoints(find(RESOURCES.service));
        break;
      case 'garbage':
        this.#collectGarbage(this.#store.index.withUid(name));
        break;
    }
  }

  #syncDeployment(deployment: JsonMap | undefined): void {
    if (deployment === undefined) return;
    const sets = this.#store.index.controlled(deployment, 'ReplicaSet');
    const pods = sets.flatMap((set) => this.#store.index.controlled(set, 'Pod'));
    const outcome = syncDeployment(deployment, sets, pods, this.#now());
    for (const write of outcome.writes) {
      if (this.#writeSet(write, deployment) === 'name taken') return;
    }
    const { status, revision } = outcome;
    if (status === mapAt(deployment, 'status') && revision === undefined) return;
    const annotations = withMembers(mapAt(deployment, 'metadata', 'annotations'), {
      ...(revision === undefined ? {} : { [REVISION]: revision }),
    });
    this.#store.update(
      DEPLOYMENTS,
      RESOURCES.deployment,
      { ...withMetadata(deployment, { annotations }), status },
      'status',
    );
  }

  /** Where the name of a new set is taken by a set of another template or owner, the next one gets another hash. */
  #writeSet({ write, replicaSet }: SetWrite, deployment: JsonMap): 'written' | 'name taken' {
    const name = nameAndNamespace(replicaSet);
    if (write === 'delete') this.#store.erase(DEPLOYMENTS, REPLICA_SET, name, 'background');
    else if (write === 'update') this.#store.update(DEPLOYMENTS, REPLICA_SET, replicaSet, 'main');
    else {
      const taken = this.#store.get(REPLICA_SET, name);
      if (taken === undefined) this.#store.create(DEPLOYMENTS, REPLICA_SET, replicaSet);
      else if (!isSameSet(taken, replicaSet)) {
        const collisionCount = numberAt(deployment, 0, 'status', 'collisionCount') + 1;
        const status = { ...mapAt(deployment, 'status'), collisionCount };
        this.#store.update(DEPLOYMENTS, RESOURCES.deployment, { ...deployment, status }, 'status');
        return 'name taken';
      }
    }
    return 'written';
  }

  #syncSet(set: JsonMap | undefined): void {
    if (set === undefined) return;
    const { namespace, name } = nameAndNamespace(set);
    const outcome = syncReplicaSet(set, this.#store.index.controlled(set, 'Pod'), this.#now());
    for (let i = 0; i < outcome.create; i++) {
      const pod = podOf(set, `${name}-${nameSuffix(++this.#names)}`, this.#now());
      this.#store.create(REPLICA_SETS, RESOURCES.pod, pod);
    }
    for (const pod of outcome.delete)
      this.#store.erase(REPLICA_SETS, RESOURCES.pod, nameAndNamespace(pod), 'background');
    if (outcome.status !== mapAt(set, 'status'))
      this.#store.update(REPLICA_SETS, REPLICA_SET, { ...set, status: outcome.status }, 'status');
    const timer = `available ${namespace}/${name}`;
    if (outcome.checkAfter === undefined) this.#cancel(timer);
    else this.#after(timer, outcome.checkAfter, () => this.#look('ReplicaSet', { namespace, name }));
  }

  /** The kubelet: starts the containers of a new pod, sees them become ready, ends those of a deleted one. */
  #runPod(pod: JsonMap | undefined): void {
    if (pod === undefined) return;
    const name = nameAndNamespace(pod);
    const [starting, ending] = ['starting', 'ending'].map((what) => `${what} ${uidOf(pod)}`) as [string, string];
    if (!isActive(pod)) {
      this.#cancel(starting);
      if (this.#timers.has(ending)) return;
      this.#after(ending, this.#options.terminatesAfter, () => this.#endPod(uidOf(pod), name));
    } else if (stringAt(pod, 'status', 'phase') === 'Pending') {
      const wait = this.#options.readyAfter(pod);
      const running = runningPod(pod, this.#address(), wait === 0 ? 'True' : 'False', this.#now());
      if (wait !== 'never' && wait > 0) this.#after(starting, wait, () => this.#readyPod(uidOf(pod), name));
      this.#store.update(KUBELET, RESOURCES.pod, running, 'status');
    }
  }

  #readyPod(uid: string, name: ObjectName): void {
    const pod = this.#store.get(RESOURCES.pod, name);
    if (pod === undefined || uidOf(pod) !== uid || isReady(pod)) return;
    const ip = stringAt(pod, 'status', 'podIP') ?? '';
    this.#store.update(KUBELET, RESOURCES.pod, runningPod(pod, ip, 'True', this.#now()), 'status');
  }

  #endPod(uid: string, name: ObjectName): void {
    const pod = this.#store.get(RESOURCES.pod, name);
    if (pod === undefined || uidOf(pod) !== uid) return;
    this.#store.erase(KUBELET, RESOURCES.pod, name, 'background');
  }

  #address(): string {
    this.#names += 1;
    return `10.${this.#names >> 16}.${(this.#names >> 8) & 255}.${this.#names & 255}`;
  }

  #syncEndpoints(service: JsonMap | undefined): void {
    if (service === undefined || isTerminating(service)) return;
    const { namespace } = nameAndNamespace(service);
    const wanted = endpointSlices(service, this.#store.index.list(RESOURCES.pod, namespace));
    const names = new Set(wanted.map((slice) => nameAndNamespace(slice).name));
    for (const slice of this.#store.index.controlled(service, 'EndpointSlice')) {
      const name = nameAndNamespace(slice);
      if (!names.has(name.name)) this.#store.erase(ENDPOINTS, RESOURCES.endpointSlice, name, 'background');
    }
    for (const slice of wanted) {
      const before = this.#store.get(RESOURCES.endpointSlice, nameAndNamespace(slice));
      if (before === undefined) this.#store.create(ENDPOINTS, RESOURCES.endpointSlice, slice);
      else if (!['endpoints', 'ports'].every((key) => equal(before[key], slice[key])))
        this.#store.update(ENDPOINTS, RESOURCES.endpointSlice, { ...before, ...slice }, 'main');
    }
  }

  #collectGarbage(stored: Stored | undefined): void {
    if (stored === undefined) return;
    const { resource, object } = stored;
    const owners = ownersOf(object);
    const isOrphan = owners.every(({ uid }) => this.#store.index.withUid(uid) === undefined);
    if (isForeground(object)) this.#deleteDependents(stored);
    else if (owners.length > 0 && isOrphan && !isTerminating(object))
      this.#store.erase(GARBAGE, resource, nameAndNamespace(object), 'background');
  }

  #deleteDependents({ resource, object }: Stored): void {
    const dependents = this.#store.index.dependents(uidOf(object));
    for (const dependent of dependents) {
      if (isTerminating(dependent.object)) continue;
      const own = this.#store.index.dependents(uidOf(dependent.object));
      const propagation = own.length > 0 ? 'foreground' : 'background';
      this.#store.erase(GARBAGE, dependent.resource, nameAndNamespace(dependent.object), propagation);
    }
    if (dependents.length > 0) return;
    const finalizers = listAt(object, 'metadata', 'finalizers').filter((finalizer) => finalizer !== FOREGROUND);
    this.#store.update(GARBAGE, resource, withMetadata(object, { finalizers }), 'main');
  }

  #after(what: string, milliseconds: number, run: () => void): void {
    this.#cancel(what);
    const cancel = this.#clock.after(milliseconds, () => {
      this.#timers.delete(what);
      run();
    });
    this.#timers.set(what, cancel);
  }

  #cancel(what: string): void {
    this.#timers.get(what)?.();
    this.#timers.delete(what);
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}

const DEPLOYMENTS = 'deployment-controller';
const REPLICA_SETS = 'replicaset-controller';
const ENDPOINTS = 'endpointslice-controller';
const GARBAGE = 'generic-garbage-collector';
const KUBELET = 'kubelet';

function isForeground(object: JsonMap): boolean {
  return listAt(object, 'metadata', 'finalizers').includes(FOREGROUND);
}

function isSameSet(a: JsonMap, b: JsonMap): boolean {
  const [left, right] = [a, b].map((set) => templateText(at(set, ['spec', 'template'])));
  return left === right && controllerOf(a) === controllerOf(b);
}
