import type { JsonMap } from '../../src/json/value.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { controllerOf, nameAndNamespace, ownersOf, uidOf } from './fields.ts';

export type Stored = { readonly resource: Resource; readonly object: JsonMap };

/** Objects by kind, by uid and by owner, in the order in which they were created. */
export class ObjectIndex {
  readonly #byUid = new Map<string, Stored>();
  /** Kind → uids. */
  readonly #kinds = new Map<string, Set<string>>();
  /** Uid of an owner → uids. */
  readonly #dependents = new Map<string, Set<string>>();

  /** Notes that an object was stored in place of another, or taken away. */
  set(resource: Resource, before: JsonMap | undefined, after: JsonMap | undefined): void {
    if (before !== undefined) this.#forget(resource, before, after);
    if (after === undefined) return;
    const uid = uidOf(after);
    this.#byUid.set(uid, { resource, object: after });
    added(this.#kinds, kindOf(resource), uid);
    for (const owner of ownersOf(after)) added(this.#dependents, owner.uid, uid);
  }

  withUid(uid: string): Stored | undefined {
    return this.#byUid.get(uid);
  }

  /** Objects of a kind, those of one namespace where one is given. */
  list(resource: Resource, namespace?: string): JsonMap[] {
    const all = this.#all(this.#kinds.get(kindOf(resource))).map(({ object }) => object);
    return namespace === undefined ? all : all.filter((each) => nameAndNamespace(each).namespace === namespace);
  }

  /** Objects that have an owner reference to the uid. */
  dependents(uid: string): Stored[] {
    return this.#all(this.#dependents.get(uid));
  }

  /** Objects of a kind that the owner controls. */
  controlled(owner: JsonMap, kind: string): JsonMap[] {
    const uid = uidOf(owner);
    return this.dependents(uid)
      .filter(({ resource, object }) => resource.kind === kind && controllerOf(object) === uid)
      .map(({ object }) => object);
  }

  #all(uids: ReadonlySet<string> | undefined): Stored[] {
    return [...(uids ?? [])].flatMap((uid) => this.#byUid.get(uid) ?? []);
  }

  #forget(resource: Resource, before: JsonMap, after: JsonMap | undefined): void {
    const uid = uidOf(before);
    const isSame = after !== undefined && uidOf(after) === uid;
    const kept = new Set(isSame ? ownersOf(after).map((owner) => owner.uid) : []);
    for (const owner of ownersOf(before)) if (!kept.has(owner.uid)) this.#dependents.get(owner.uid)?.delete(uid);
    if (isSame) return;
    this.#byUid.delete(uid);
    this.#kinds.get(kindOf(resource))?.delete(uid);
  }
}

/** Tells kinds apart, whatever their version. */
export function kindOf({ group, kind }: Resource): string {
  return `${group}/${kind}`;
}

function added(sets: Map<string, Set<string>>, key: string, uid: string): void {
  const uids = sets.get(key);
  if (uids === undefined) sets.set(key, new Set([uid]));
  else uids.add(uid);
}
