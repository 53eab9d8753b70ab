import { at, isList, isMap, stringAt } from '../json/value.ts';
import { NoAnswer } from './api-error.ts';
import type { Client, KubeObject } from './client.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import type { ReflectorPhase } from './reflector-state.ts';
import { collectionPath, RESOURCES, type Resource } from './resource.ts';
import type { Index, Store } from './store.ts';

/** Names a kind whatever its version. */
export type GroupKind = { readonly group: string; readonly kind: string };

/** What a CRD says of its kind; `resource` is undefined while it is not served. */
type Definition = GroupKind & { readonly resource: Resource | undefined };

export type DiscoveryOptions = {
  readonly client: Pick<Client, 'list' | 'openWatch' | 'read'>;
  readonly pace?: ReflectorOptions<unknown>['pace'];
};

/** What is not served is looked for again after so long: APIs of other servers (APIService) come without a CRD. */
const LOOK_AGAIN_MILLISECONDS = 5_000;

/**
 * Knows where kinds are served. Those of CustomResourceDefinitions come from a watch, in the version that the objects are
 * *stored* in: only there do the bytes of a webhook's patch stay as they are (the API server converts every other version).
 * Others, built in or of an aggregated API server, are asked for, in the version that the server prefers.
 */
export class Discovery {
  readonly #client: Pick<Client, 'read'>;
  readonly #definitions: Reflector<Definition>;
  readonly #byKind: Index;
  readonly #served = new Map<string, Promise<ReadonlyMap<string, Resource>>>();
  /** The answer of `/apis`, asked for once for all groups that are looked for at that time. */
  #groups: Promise<KubeObject> | undefined;

  constructor({ client, pace }: DiscoveryOptions) {
    this.#client = client;
    this.#definitions = new Reflector({
      client,
      resource: RESOURCES.customResourceDefinition,
      trim: definition,
      ...(pace === undefined ? {} : { pace }),
    });
    this.#byKind = this.#definitions.store.index((found) => [kindKey(found)]);
  }

  /** Settles when closed; rejects with a fault of ours. */
  get finished(): Promise<void> {
    return this.#definitions.finished;
  }

  /**
   * Where the objects of a kind are; undefined when there is no such kind now.
   * @throws ApiError and NoAnswer when that cannot be found out at present.
   */
  async find(group: string, kind: string): Promise<Resource | undefined> {
    await this.#ready();
    const [name] = this.#byKind.keys(kindKey({ group, kind }));
    if (name !== undefined) return this.#store.get(name)?.resource;
    return (await this.#resourcesOf(group)).get(kind);
  }

  /**
   * The kind that a CRD calls by this plural; undefined when there is no such CRD.
   * @throws NoAnswer when that cannot be found out at present.
   */
  async kindOf(group: string, plural: string): Promise<GroupKind | undefined> {
    await this.#ready();
    const found = this.#store.get(`${plural}.${group}`); // the name that a CRD must have
    return found && { group: found.group, kind: found.kind };
  }

  /** Called when a CRD has come, gone, or says something else of its kind. The answer ends that. */
  onChange(listener: (kind: GroupKind) => void): () => void {
    return this.#store.onChange(({ before, after }) => {
      const changed = after ?? before;
      if (changed === undefined || isSame(before, after)) return;
      listener({ group: changed.group, kind: changed.kind });
    });
  }

  close(): void {
    this.#definitions.close();
  }

  get #store(): Store<Definition> {
    return this.#definitions.store;
  }

  /** Waits for the first list of the CRDs, but not for a cluster that refuses or fails it. */
  async #ready(): Promise<void> {
    if (this.#definitions.hasSynced()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const isOver = (state: ReflectorPhase): boolean => state !== 'starting';
    const stop = this.#definitions.onState(({ state }) => isOver(state) && resolve());
    if (isOver(this.#definitions.state().state)) resolve();
    await Promise.race([promise, this.#definitions.finished]);
    stop();
    if (this.#definitions.hasSynced()) return;
    throw new NoAnswer(`the CustomResourceDefinitions could not be read: ${this.#definitions.state().message}`);
  }

  /** The kinds of a group that is no CRD's, by kind; asked for once, and again after a while when it was not there. */
  #resourcesOf(group: string): Promise<ReadonlyMap<string, Resource>> {
    const known = this.#served.get(group);
    if (known !== undefined) return known;
    const asked = this.#ask(group);
    this.#served.set(group, asked);
    const forget = (): void => {
      if (this.#served.get(group) === asked) this.#served.delete(group);
    };
    asked.then(() => setTimeout(forget, LOOK_AGAIN_MILLISECONDS).unref(), forget);
    return asked;
  }

  async #ask(group: string): Promise<ReadonlyMap<string, Resource>> {
    const found = new Map<string, Resource>();
    for (const version of await this.#versionsOf(group)) {
      const path = collectionPath({ group, version, plural: '', kind: '', namespaced: false }).replace(/\/$/, '');
      const { resources } = await this.#client.read(path);
      for (const entry of isList(resources) ? resources : []) {
        const [plural, kind] = [stringAt(entry, 'name') ?? '', stringAt(entry, 'kind') ?? ''];
        const namespaced = at(entry, ['namespaced']) === true;
        // `deployments/scale` is no kind of its own; the first version that has a kind is the preferred one.
        if (!plural.includes('/') && !found.has(kind)) found.set(kind, { group, version, plural, kind, namespaced });
      }
    }
    return found;
  }

  /** The versions of a group, the preferred one first; none of a group that is not served. */
  async #versionsOf(group: string): Promise<string[]> {
    if (group === '') return ['v1'];
    this.#groups ??= this.#client.read('/apis').finally(() => {
      this.#groups = undefined;
    });
    const { groups } = await this.#groups;
    const entry = (isList(groups) ? groups : []).find((one) => stringAt(one, 'name') === group);
    const versions = at(entry, ['versions']);
    const names = (isList(versions) ? versions : []).flatMap((one) => stringAt(one, 'version') ?? []);
    const preferred = stringAt(entry, 'preferredVersion', 'version');
    return preferred === undefined ? names : [preferred, ...names.filter((name) => name !== preferred)];
  }
}

function kindKey({ group, kind }: GroupKind): string {
  return `${kind}.${group}`;
}

function isSame(a: Definition | undefined, b: Definition | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A version that objects are stored in is nearly always served; where it is not, the first served one has to do. */
function definition(crd: KubeObject): Definition {
  const group = stringAt(crd, 'spec', 'group') ?? '';
  const kind = stringAt(crd, 'spec', 'names', 'kind') ?? '';
  const listed = at(crd, ['spec', 'versions']);
  const served = (isList(listed) ? listed.filter(isMap) : []).filter((version) => version['served'] === true);
  const version = stringAt(served.find((one) => one['storage'] === true) ?? served[0], 'name');
  if (version === undefined || !isEstablished(crd)) return { group, kind, resource: undefined };
  const plural = stringAt(crd, 'spec', 'names', 'plural') ?? '';
  const namespaced = stringAt(crd, 'spec', 'scope') === 'Namespaced';
  return { group, kind, resource: { group, version, plural, kind, namespaced } };
}

function isEstablished(crd: KubeObject): boolean {
  const conditions = at(crd, ['status', 'conditions']);
  return (isList(conditions) ? conditions : []).some(
    (one) => stringAt(one, 'type') === 'Established' && stringAt(one, 'status') === 'True',
  );
}
