import type { Api } from '../../src/controller/api.ts';
import {
  DESTINATION_RULE,
  mergePatch,
  path,
  TestCluster,
  VIRTUAL_SERVICE,
} from '../../src/controller/cluster.testing.ts';
import { equal } from '../../src/json/equal.ts';
import { at, isList, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import type { WriteOptions } from '../../src/kube/client.ts';
import { groupVersion, type ObjectName, RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { settled as turn, type VirtualClock } from '../../src/kube/virtual-clock.testing.ts';
import type { Rewriter } from '../../src/rewrite/rewriter.ts';
import { templateHash } from '../../src/rewrite/template.ts';
import {
  ALICE,
  admitted,
  applied,
  CONTROLLER,
  isController,
  patched,
  type Requester,
  type Sluice,
  type Test,
  type Webhook,
  type WebhookState,
} from './admission.ts';
import { FOREGROUND, NativeControllers, type Propagation, REPLICA_SET, type Readiness } from './controllers.ts';
import { isTerminating, listAt, mapAt, nameAndNamespace, numberAt, timestamp, withMetadata } from './fields.ts';
import { kindOf, ObjectIndex } from './object-index.ts';
import { seeded } from './random.ts';
import { begun, defaulted, numbered, type Part, received, validate } from './registry.ts';
import { isReady, runningPod } from './replica-set.ts';
import { type StoredWrite, storyLine } from './story.ts';

export type NativeClusterOptions = {
  readonly clock: VirtualClock;
  /** What Sluice's webhook rewrites with. */
  readonly rewriter: Rewriter;
  /** Decides who comes first where several have something to do. */
  readonly seed?: number;
  /** When a pod is ready after its start; told by what the pod says of its version. */
  readonly readyAfter?: (pod: JsonMap) => Readiness;
  /** How long a deleted pod goes on, in milliseconds. */
  readonly terminatesAfter?: number;
  /** Other mutating webhooks, asked in this order after Sluice's. */
  readonly webhooks?: readonly Webhook[];
  /** Directives of Rollouts that name a Deployment whose template changes. */
  readonly naming?: Sluice['naming'];
};

/** Pods of one ReplicaSet. */
export type SetCount = {
  readonly name: string;
  /** Hash of the pod template, as Rollouts name a revision. */
  readonly revision: string;
  readonly image: string;
  /** Value of the label `pod-template-hash`. */
  readonly podTemplateHash: string;
  /** `spec.replicas`. */
  readonly desired: number;
  readonly ready: number;
  /** Pods that are there, ready or not, without those that are being deleted. */
  readonly pods: number;
};

/** A write of the tested controller: what it sent, and not what became of it. */
export type ControllerRequest = {
  readonly verb: 'create' | 'patch' | 'delete';
  readonly resource: Resource;
  readonly name: ObjectName;
  /** The object to create, the patch, or the preconditions of a deletion. */
  readonly body: Json;
  readonly options: WriteOptions;
};

/** More writes than this without any time passing are a quarrel. */
const MOST_WRITES = 20_000;

/**
 * A cluster in memory with what is native to Kubernetes in it: an API server that admits (Sluice's webhook among the
 * webhooks), defaults, validates and counts generations, and the controllers of Deployments, ReplicaSets, EndpointSlices
 * and garbage, with kubelets that start pods. To a controller that is tested it is the API server and the watches
 * (`Api`, `Watcher`); a test is the users, and lets time pass. Everything that is not the tested controller's own depends
 * on the seed alone.
 *
 * ```
 *  users: apply, edit, scale, erase ──┐                      ┌──► native controllers, one at a time, by chance
 *  tested controller: Api ────────────┼──► admission ──► objects
 *  native controllers ────────────────┘                      └──► watches of the tested controller, a moment later
 * ```
 *
 * Left out: managedFields and server-side apply, strategic merge of lists, schemas of custom resources, adoption of
 * orphans, nodes, quotas, evictions. Native controllers see every write at once.
 */
export class NativeCluster extends TestCluster {
  webhook: WebhookState = 'answers';
  /** Whether the tested controller works on something that takes more than a turn of the event loop: a thread's answer, say. */
  isBusy: () => boolean = () => false;
  /** What Sluice's webhook warned of, in order. */
  readonly warnings: string[] = [];
  /** What the tested controller asked for, in order, also where it was refused. */
  readonly requests: ControllerRequest[] = [];
  readonly #clock: VirtualClock;
  readonly #options: NativeClusterOptions;
  readonly #random: () => number;
  readonly #native: NativeControllers;
  readonly #guarded = new Set<string>();
  readonly #index = new ObjectIndex();
  readonly #writes: StoredWrite[] = [];
  #who = 'somebody';
  #part: Part = 'main';

  constructor(options: NativeClusterOptions) {
    super();
    this.#clock = options.clock;
    this.#options = options;
    this.#random = seeded(options.seed ?? 1);
    this.kinds.set('apps/ReplicaSet', REPLICA_SET);
    for (const resource of [
      RESOURCES.deployment,
      RESOURCES.service,
      RESOURCES.ingress,
      VIRTUAL_SERVICE,
      DESTINATION_RULE,
    ])
      this.#guarded.add(kindOf(resource));
    const { readyAfter = () => 1_000, terminatesAfter = 1_000 } = options;
    this.#native = new NativeControllers(
      {
        index: this.#index,
        get: (resource, name) => this.objects.get(path(resource, name)),
        create: (who, resource, object) => void this.#create(resource, object, native(who)),
        update: (who, resource, object, part) => void this.#update(resource, object, part, native(who)),
        erase: (who, resource, name, propagation) => this.#erase(resource, name, propagation, who),
      },
      options.clock,
      this.#random,
      { readyAfter, terminatesAfter },
    );
  }

  /** Objects of this kind are rewritten from now on, as those of Deployments, Services, Ingresses and VirtualServices are. */
  override install(resource: Resource): void {
    this.#guarded.add(kindOf(resource));
    super.install(resource);
  }

  /** Who has written what, in order: for whoever reads how a test came to fail. */
  get story(): string[] {
    return this.#writes.map((write) => storyLine(write));
  }

  /** All objects of a kind, or those of one namespace. */
  list(resource: Resource, namespace?: string): JsonMap[] {
    return this.#index.list(resource, namespace);
  }

  /** An object as it is stored. @throws where there is none */
  read(resource: Resource, name: ObjectName): JsonMap {
    const object = this.objects.get(path(resource, name));
    if (object === undefined) throw notFound(resource, name);
    return object;
  }

  /** The ReplicaSets of a Deployment with their pods, in the order of their creation. */
  setsOf(name: ObjectName): SetCount[] {
    const deployment = this.read(RESOURCES.deployment, name);
    return this.#index.controlled(deployment, 'ReplicaSet').map((set) => {
      const pods = this.#index.controlled(set, 'Pod').filter((pod) => !isTerminating(pod));
      const template = at(set, ['spec', 'template']);
      return {
        name: nameAndNamespace(set).name,
        revision: templateHash(template),
        image: stringAt(template, 'spec', 'containers', 0, 'image') ?? '',
        podTemplateHash: stringAt(set, 'metadata', 'labels', 'pod-template-hash') ?? '',
        desired: numberAt(set, 0, 'spec', 'replicas'),
        ready: pods.filter(isReady).length,
        pods: pods.length,
      };
    });
  }

  /** `kubectl apply -f`, on the client's side: creates the object, or changes what the manifest says and said before. */
  apply(manifest: JsonMap, by: Requester = { ...ALICE, fieldManager: 'kubectl-client-side-apply' }): JsonMap {
    const resource = this.#resourceOf(manifest);
    const live = this.objects.get(path(resource, nameAndNamespace(manifest)));
    const object = applied(manifest, live);
    return live === undefined ? this.#create(resource, object, by) : this.#update(resource, object, 'main', by);
  }

  /** `kubectl edit`, `kubectl replace`, `kubectl set image`: any change of what is stored. */
  edit(resource: Resource, name: ObjectName, change: (live: JsonMap) => JsonMap, by: Requester = ALICE): JsonMap {
    return this.#update(resource, change(this.read(resource, name)), 'main', by);
  }

  /** A change of the status by somebody else than its controller, as `kubectl kruise rollout approve` makes. */
  editStatus(
    resource: Resource,
    name: ObjectName,
    change: (status: JsonMap) => JsonMap,
    by: Requester = ALICE,
  ): JsonMap {
    const live = this.read(resource, name);
    return this.#update(resource, { ...live, status: change(mapAt(live, 'status')) }, 'status', by);
  }

  /** `kubectl scale`, or an autoscaler: past the webhooks on the Deployment itself. */
  scale(name: ObjectName, replicas: number, by: Requester = ALICE): JsonMap {
    const live = this.read(RESOURCES.deployment, name);
    return this.#update(RESOURCES.deployment, { ...live, spec: { ...mapAt(live, 'spec'), replicas } }, 'scale', by);
  }

  /** `kubectl delete`; what the object owns goes after it, or before it (`foreground`). */
  erase(resource: Resource, name: ObjectName, propagation: Propagation = 'background', by: Requester = ALICE): void {
    this.#erase(resource, name, propagation, by.user);
  }

  /** A pod's readiness changes for a reason of its own; it stays so until this is called again. */
  setReady(name: ObjectName, readiness: 'True' | 'False'): void {
    const pod = this.read(RESOURCES.pod, name);
    const running = runningPod(pod, stringAt(pod, 'status', 'podIP') ?? '', readiness, this.#clock.now().getTime());
    this.#update(RESOURCES.pod, running, 'status', native('kubelet'));
  }

  /**
   * Lets time pass: at each moment at which somebody has something to do, all do what they can.
   * @throws when they never come to rest
   */
  run(milliseconds: number): Promise<void> {
    return this.#clock.pass(milliseconds, () => this.settle());
  }

  /** Lets the native controllers and the tested one react, until nothing is left to do at this moment. */
  async settle(): Promise<void> {
    const end = this.#writes.length + MOST_WRITES;
    do {
      const batch = 1 + Math.floor(this.#random() * 6);
      for (let i = 0; i < batch && !this.#native.isIdle; i++) this.#native.step();
      await this.#quiet(end);
    } while (!this.#native.isIdle);
  }

  /** What others than the tested controller do through the same interface: commands, say. Their writes are not noted. */
  as(by: Requester): Api {
    return {
      get: (resource, name) => this.get(resource, name),
      listAll: (resource, selection) => this.listAll(resource, selection),
      create: (resource, object, options) => promised(() => this.#create(resource, object, by, options)),
      patch: (resource, name, form, body, options) =>
        promised(() => this.#patch(resource, name, form, body, by, options)),
      delete: (resource, name, preconditions) => promised(() => this.#delete(resource, name, preconditions, by)),
    };
  }

  override async create(resource: Resource, object: JsonMap, options: WriteOptions = {}): Promise<JsonMap> {
    const name = nameAndNamespace(object);
    this.requests.push({ verb: 'create', resource, name, body: object, options });
    await this.writing('create', resource, name);
    return this.#create(resource, object, requesterOf(options), options);
  }

  override async patch(
    resource: Resource,
    name: ObjectName,
    form: string,
    body: Json,
    options: WriteOptions = {},
  ): Promise<JsonMap> {
    this.requests.push({ verb: 'patch', resource, name, body, options });
    await this.writing(`patch${options.subresource === undefined ? '' : ` ${options.subresource}`}`, resource, name);
    if (fenceOf(body) === undefined)
      throw new Error(`a fenced write says what it was computed from: ${JSON.stringify(body)}`);
    return this.#patch(resource, name, form, body, requesterOf(options), options);
  }

  override async delete(resource: Resource, name: ObjectName, preconditions: Preconditions = {}): Promise<void> {
    this.requests.push({ verb: 'delete', resource, name, body: { ...preconditions }, options: {} });
    await this.writing('delete', resource, name);
    this.#delete(resource, name, preconditions, CONTROLLER);
  }

  /** Stores an object as it would be stored, without asking any webhook. What changes nothing is no write. */
  override put(resource: Resource, object: JsonMap): JsonMap {
    const before = this.objects.get(path(resource, nameAndNamespace(object)));
    const now = this.#clock.now().getTime();
    const after = numbered(resource, before, defaulted(resource, object), this.#part, now);
    if (before !== undefined && equal(before, after)) return before;
    const stored = super.put(resource, after);
    this.#noted(before === undefined ? 'creates' : 'updates', resource, before, stored);
    return stored;
  }

  override remove(resource: Resource, name: ObjectName): void {
    const before = this.objects.get(path(resource, name));
    super.remove(resource, name);
    if (before === undefined) return;
    this.#noted('removes', resource, before, undefined);
  }

  /** Between two writes of the tested controller native ones may have come first. */
  protected override writing(verb: string, resource: Resource, name: ObjectName): Promise<void> {
    while (!this.#native.isIdle && this.#random() < 0.3) this.#native.step();
    return super.writing(verb, resource, name);
  }

  #noted(verb: string, resource: Resource, before: JsonMap | undefined, after: JsonMap | undefined): void {
    this.#index.set(resource, before, after);
    const object = after ?? before ?? {};
    this.#writes.push({ milliseconds: this.#clock.monotonic(), who: this.#who, verb, resource, object });
    this.#native.changed(resource, before, after);
  }

  #create(resource: Resource, sent: JsonMap, by: Requester, { dryRun = false }: WriteOptions = {}): JsonMap {
    if (this.objects.has(path(resource, nameAndNamespace(sent))))
      throw new ApiError(409, 'AlreadyExists', `${resource.plural} "${nameAndNamespace(sent).name}" already exists`);
    const object = this.#admit(resource, 'main', defaulted(resource, begun(resource, sent)), undefined, by);
    validate(resource, undefined, object);
    return dryRun ? object : this.#store(resource, object, 'main', by.user);
  }

  /** @param sent the object as it is to be, of which the part is taken */
  #update(
    resource: Resource,
    sent: JsonMap,
    part: Part,
    by: Requester,
    { dryRun = false }: WriteOptions = {},
  ): JsonMap {
    const live = this.read(resource, nameAndNamespace(sent));
    const taken = received(resource, live, sent, part);
    const kept = withMetadata(taken, {
      uid: at(live, ['metadata', 'uid']),
      generation: at(live, ['metadata', 'generation']),
      creationTimestamp: at(live, ['metadata', 'creationTimestamp']),
      deletionTimestamp: at(live, ['metadata', 'deletionTimestamp']),
    });
    const object = this.#admit(resource, part, defaulted(resource, kept), live, by);
    if (part !== 'status') validate(resource, live, object);
    if (dryRun) return object;
    const isGone = stringAt(object, 'metadata', 'deletionTimestamp') !== undefined && isFree(object) && !isFree(live);
    if (!isGone) return this.#store(resource, object, part, by.user);
    this.#who = by.user;
    this.remove(resource, nameAndNamespace(object));
    return object;
  }

  #admit(resource: Resource, part: Part, incoming: JsonMap, live: JsonMap | undefined, by: Requester): JsonMap {
    const { rewriter, webhooks = [], naming = () => undefined } = this.#options;
    const isGuarded = part === 'main' && this.#guarded.has(kindOf(resource));
    const sluice = {
      rewriter,
      naming,
      state: this.webhook,
      warn: (warning: string) => void this.warnings.push(warning),
    };
    return admitted({ resource, part, incoming, live, by }, isGuarded ? sluice : undefined, webhooks, (object) =>
      defaulted(resource, object),
    );
  }

  #store(resource: Resource, object: JsonMap, part: Part, who: string): JsonMap {
    [this.#who, this.#part] = [who, part];
    try {
      return this.put(resource, object);
    } finally {
      [this.#who, this.#part] = ['somebody', 'main'];
    }
  }

  #patch(
    resource: Resource,
    name: ObjectName,
    form: string,
    body: Json,
    by: Requester,
    options: WriteOptions = {},
  ): JsonMap {
    const live = this.read(resource, name);
    const fence = fenceOf(body);
    if (fence !== undefined && fence !== stringAt(live, 'metadata', 'resourceVersion'))
      throw new ApiError(409, 'Conflict', 'the object has been modified');
    if (form !== 'merge' && form !== 'json') throw new Error(`patches of form ${form} are not modelled`);
    const sent = form === 'merge' ? (mergePatch(live, body) as JsonMap) : patched(live, body as readonly Test[]);
    return this.#update(resource, sent, options.subresource ?? 'main', by, options);
  }

  #delete(resource: Resource, name: ObjectName, { uid, resourceVersion }: Preconditions = {}, by: Requester): void {
    const live = this.read(resource, name);
    const isOther = (wanted: string | undefined, key: string) =>
      wanted !== undefined && wanted !== stringAt(live, 'metadata', key);
    if (isOther(uid, 'uid') || isOther(resourceVersion, 'resourceVersion'))
      throw new ApiError(409, 'Conflict', 'the precondition does not hold');
    this.#erase(resource, name, 'background', by.user);
  }

  /** An object with finalizers waits for them, a pod that runs for its end; the rest is gone at once. */
  #erase(resource: Resource, name: ObjectName, propagation: Propagation, who: string): void {
    const live = this.read(resource, name);
    const own = listAt(live, 'metadata', 'finalizers');
    const finalizers = propagation === 'foreground' && !own.includes(FOREGROUND) ? [...own, FOREGROUND] : own;
    const isMarked = stringAt(live, 'metadata', 'deletionTimestamp') !== undefined;
    const isRunning = resource.kind === 'Pod' && stringAt(live, 'status', 'podIP') !== undefined;
    if (finalizers.length === 0 && (isMarked || !isRunning)) {
      this.#who = who;
      this.remove(resource, name);
      this.#who = 'somebody';
      return;
    }
    const deletionTimestamp = at(live, ['metadata', 'deletionTimestamp']) ?? timestamp(this.#clock.now().getTime());
    const metadata = { deletionTimestamp, ...(finalizers.length === 0 ? {} : { finalizers }) };
    this.#store(resource, withMetadata(live, metadata), 'main', who);
  }

  #resourceOf(manifest: JsonMap): Resource {
    const { group } = groupVersion(stringAt(manifest, 'apiVersion') ?? '');
    const resource = this.kinds.get(`${group}/${stringAt(manifest, 'kind')}`);
    if (resource === undefined)
      throw new Error(`the cluster does not serve ${manifest['apiVersion']} ${manifest['kind']}`);
    return resource;
  }

  /** Two turns of the event loop in which nobody has written anything: watches tell within one. */
  async #quiet(end: number): Promise<void> {
    for (let still = 0; still < 2; still++) {
      const before = this.#writes.length;
      await turn();
      if (this.#writes.length > end) throw new Error(`nothing comes to rest:\n${this.story.slice(-40).join('\n')}`);
      if (this.#writes.length !== before || this.isBusy()) still = -1;
    }
  }
}

type Preconditions = { readonly uid?: string; readonly resourceVersion?: string };

function native(user: string): Requester {
  return { user, fieldManager: user };
}

function requesterOf({ fieldManager }: WriteOptions): Requester {
  if (fieldManager === undefined) return CONTROLLER;
  const requester = { user: fieldManager, fieldManager };
  return isController(requester) ? CONTROLLER : requester;
}

function promised<T>(run: () => T): Promise<T> {
  return Promise.resolve().then(run);
}

function notFound(resource: Resource, { name }: ObjectName): ApiError {
  return new ApiError(404, 'NotFound', `${resource.plural} "${name}" not found`);
}

/** The resourceVersion that a merge patch carries, or that a JSON patch sets or tests. */
function fenceOf(body: Json): string | undefined {
  if (!isList(body)) return stringAt(body, 'metadata', 'resourceVersion');
  return stringAt(
    body.find((each) => stringAt(each, 'path') === '/metadata/resourceVersion'),
    'value',
  );
}

function isFree(object: JsonMap): boolean {
  return listAt(object, 'metadata', 'finalizers').length === 0;
}
