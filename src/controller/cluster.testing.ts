import { isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { ApiError } from '../kube/api-error.ts';
import type { Selection } from '../kube/client.ts';
import { apiVersionOf, type ObjectName, RESOURCES, type Resource } from '../kube/resource.ts';
import type { Api } from './api.ts';
import type { GroupKind } from './references.ts';
import type { Change, Watch, Watcher, WatchOptions, WatchState } from './watcher.ts';

export const VIRTUAL_SERVICE: Resource = {
  group: 'networking.istio.io',
  version: 'v1beta1',
  plural: 'virtualservices',
  kind: 'VirtualService',
  namespaced: true,
};

export const DESTINATION_RULE: Resource = {
  ...VIRTUAL_SERVICE,
  plural: 'destinationrules',
  kind: 'DestinationRule',
};

/** One API server in memory: real optimistic locking, merge patches, watches that tell of every change a moment later. */
export class TestCluster implements Api, Watcher {
  readonly objects = new Map<string, JsonMap>();
  readonly writes: string[] = [];
  readonly kinds = new Map<string, Resource>(
    [...Object.values(RESOURCES), VIRTUAL_SERVICE, DESTINATION_RULE].map((resource) => [
      `${resource.group}/${resource.kind}`,
      resource,
    ]),
  );
  readonly forbidden = new Set<string>();
  /** Kinds whose watches are opened and say nothing. */
  readonly silent = new Set<string>();
  /** Called before each write; may throw what a server would answer. */
  onWrite: (what: string) => void = () => undefined;
  readonly #watches = new Set<OpenWatch>();
  readonly #discovery = new Set<(kind: GroupKind) => void>();
  #version = 100;

  get(resource: Resource, name: ObjectName): Promise<JsonMap> {
    const object = this.objects.get(path(resource, name));
    return object === undefined ? Promise.reject(notFound(resource, name)) : Promise.resolve(object);
  }

  // biome-ignore lint/suspicious/useAwait: nothing has to be waited for in memory
  async *listAll(resource: Resource, selection: Selection = {}): AsyncGenerator<JsonMap> {
    for (const [key, object] of this.objects)
      if (key.startsWith(`${resource.group}/${resource.kind}/`) && isSelected(object, selection)) yield object;
  }

  async create(resource: Resource, object: JsonMap): Promise<JsonMap> {
    const name = {
      namespace: stringAt(object, 'metadata', 'namespace') ?? '',
      name: stringAt(object, 'metadata', 'name') ?? '',
    };
    await this.writing('create', resource, name);
    if (this.objects.has(path(resource, name))) throw new ApiError(409, 'AlreadyExists', 'it exists');
    return this.put(resource, object);
  }

  async patch(
    resource: Resource,
    name: ObjectName,
    _form: string,
    body: Json,
    options: { subresource?: string } = {},
  ): Promise<JsonMap> {
    await this.writing(`patch${options.subresource === undefined ? '' : ` ${options.subresource}`}`, resource, name);
    const object = await this.get(resource, name);
    const expected = stringAt(body, 'metadata', 'resourceVersion');
    if (expected === undefined)
      throw new Error(`a fenced write says what it was computed from: ${JSON.stringify(body)}`);
    const metadata = member(object, 'metadata');
    if (expected !== stringAt(metadata, 'resourceVersion')) throw new ApiError(409, 'Conflict', 'it has changed');
    return this.put(resource, mergePatch(object, body) as JsonMap);
  }

  async delete(resource: Resource, name: ObjectName, preconditions: { uid?: string } = {}): Promise<void> {
    await this.writing('delete', resource, name);
    const object = await this.get(resource, name);
    const uid = stringAt(object, 'metadata', 'uid');
    if (preconditions.uid !== undefined && preconditions.uid !== uid)
      throw new ApiError(409, 'Conflict', 'another uid');
    this.remove(resource, name);
  }

  /** Stores an object as somebody else would, and tells the watches. */
  put(resource: Resource, object: JsonMap): JsonMap {
    const metadata = isMap(object['metadata']) ? object['metadata'] : {};
    const name = { namespace: stringAt(metadata, 'namespace') ?? '', name: stringAt(metadata, 'name') ?? '' };
    const key = path(resource, name);
    const before = this.objects.get(key);
    const uid = stringAt(metadata, 'uid') ?? `uid-${this.#version + 1}`;
    const resourceVersion = String(++this.#version);
    const after = {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      ...object,
      metadata: { ...metadata, uid, resourceVersion },
    };
    this.objects.set(key, after);
    this.#tell(resource, before, after);
    return after;
  }

  remove(resource: Resource, name: ObjectName): void {
    const before = this.objects.get(path(resource, name));
    this.objects.delete(path(resource, name));
    this.#tell(resource, before, undefined);
  }

  find(group: string, kind: string): Promise<Resource | undefined> {
    return Promise.resolve(this.kinds.get(`${group}/${kind}`));
  }

  onDiscovery(listener: (kind: GroupKind) => void): () => void {
    this.#discovery.add(listener);
    return () => this.#discovery.delete(listener);
  }

  install(resource: Resource): void {
    this.kinds.set(`${resource.group}/${resource.kind}`, resource);
    for (const listener of this.#discovery) listener(resource);
  }

  /** Watches of a kind that was silent answer. */
  speak(kind: string): void {
    this.silent.delete(kind);
    for (const { resource, start } of this.#watches) if (resource.kind === kind) start();
  }

  /** Kinds with an open watch. */
  watched(): string[] {
    return [...this.#watches].map(({ resource }) => resource.kind).sort();
  }

  watch<T>(options: WatchOptions<T>): Watch<T> {
    const { resource, selection = {}, trim, onChange, onState } = options;
    const values = new Map<string, T>();
    let state: WatchState = 'starting';
    let hasSynced = false;
    const receive = (before: JsonMap | undefined, after: JsonMap | undefined) => {
      const object = after ?? before;
      if (object === undefined || state !== 'synced') return;
      const key = `${stringAt(object, 'metadata', 'namespace')}/${stringAt(object, 'metadata', 'name')}`;
      // An object that is chosen no longer is gone for whoever watches.
      const isThere = after !== undefined && isSelected(after, selection);
      if (!isThere && !values.has(key)) return;
      const change: Change<T> = { before: values.get(key), after: isThere ? trim(after) : undefined };
      if (change.after === undefined) values.delete(key);
      else values.set(key, change.after);
      onChange(change);
    };
    const start = () => {
      if (!this.#watches.has(open) || state === 'synced' || this.silent.has(resource.kind)) return;
      state = this.forbidden.has(resource.kind) ? 'forbidden' : 'synced';
      if (state === 'synced')
        for (const [key, object] of this.objects)
          if (key.startsWith(`${resource.group}/${resource.kind}/`)) receive(undefined, object);
      hasSynced ||= state === 'synced';
      onState();
    };
    const open: OpenWatch = { resource, receive, start };
    this.#watches.add(open);
    setImmediate(start);
    return {
      get: (namespace, name) => values.get(`${namespace}/${name}`),
      values: () => values.values(),
      state: () => ({ state, message: '' }),
      hasSynced: () => hasSynced,
      retry: () => setImmediate(start),
      close: () => this.#watches.delete(open),
    };
  }

  /** A request of the controller arrives: it is noted, and may be refused by {@link onWrite}. */
  protected writing(verb: string, resource: Resource, { namespace, name }: ObjectName): Promise<void> {
    const what = `${verb} ${resource.kind} ${namespace}/${name}`;
    return Promise.resolve().then(() => {
      this.onWrite(what);
      this.writes.push(what);
    });
  }

  #tell(resource: Resource, before: JsonMap | undefined, after: JsonMap | undefined): void {
    setImmediate(() => {
      for (const watch of this.#watches) if (watch.resource.kind === resource.kind) watch.receive(before, after);
    });
  }
}

type OpenWatch = {
  readonly resource: Resource;
  readonly receive: (before: JsonMap | undefined, after: JsonMap | undefined) => void;
  readonly start: () => void;
};

/** The key of an object in {@link TestCluster.objects}. */
export function path(resource: Resource, { namespace = '', name }: ObjectName): string {
  return `${resource.group}/${resource.kind}/${namespace}/${name}`;
}

function isSelected(object: JsonMap, { namespace, labelSelector, fieldSelector }: Selection): boolean {
  const [metadata, field] = [member(object, 'metadata'), fieldSelector?.split('=')[1]];
  const wanted = labelSelector?.split(',').map((each) => each.split('=')) ?? [];
  return (
    (namespace === undefined || stringAt(metadata, 'namespace') === namespace) &&
    wanted.every(([key = '', value]) => {
      const label = stringAt(metadata, 'labels', key);
      return value === undefined ? label !== undefined : label === value;
    }) &&
    (field === undefined || stringAt(metadata, 'name') === field)
  );
}

function notFound(resource: Resource, { name }: ObjectName): ApiError {
  return new ApiError(404, 'NotFound', `${resource.plural} "${name}" not found`);
}

/** RFC 7386. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isMap(patch)) return patch;
  const result: { [key: string]: Json } = isMap(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key] ?? null, value);
  }
  return result;
}
