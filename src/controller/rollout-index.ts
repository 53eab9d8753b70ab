import { type GroupKind, isWatched, kindKey, type Reference, referenceKey, trafficRoutingKey } from './references.ts';
import { type RolloutEntry, rolloutEntry, type StoredRollout } from './rollout-entry.ts';

/**
 * All Rollouts, found by name or by an object that they name: a change of an object leads to the few Rollouts that it
 * matters to, whatever their number is.
 */
export class RolloutIndex {
  readonly #entries = new Map<string, RolloutEntry>();
  /** `group/Kind/namespace/name` → keys of the Rollouts that name it. */
  readonly #byReference = new Map<string, Set<string>>();
  /** `group/Kind` → keys of the Rollouts that name an object of it. */
  readonly #byKind = new Map<string, { readonly kind: GroupKind; readonly rollouts: Set<string> }>();
  readonly #onKinds = new Set<() => void>();

  get(key: string): RolloutEntry | undefined {
    return this.#entries.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /**
   * Takes a Rollout in as it is stored now, or out.
   * @returns the keys of the Rollouts that this may matter to: itself, and those that name the same workload; and of
   * TrafficRoutings that it names, or named.
   */
  set(key: string, stored: StoredRollout | undefined): string[] {
    const before = this.#entries.get(key);
    const after = stored && rolloutEntry(stored, before);
    this.put(key, after);
    const both = [before, after].filter((entry) => entry !== undefined);
    const rivals = both.flatMap((entry) => this.#sharingWorkload(entry));
    const routings = before?.references === after?.references ? [] : both.flatMap(routingKeys);
    return [...new Set([key, ...rivals, ...routings])];
  }

  /** Takes an entry in that was read elsewhere, or out: TrafficRoutings name objects as Rollouts do. */
  put(key: string, after: RolloutEntry | undefined): void {
    const before = this.#entries.get(key);
    if (after === undefined) this.#entries.delete(key);
    else this.#entries.set(key, after);
    if (before?.references !== after?.references || before?.key !== after?.key) this.#refer(key, before, after);
  }

  /** The Rollouts that name this object. */
  naming(object: GroupKind & { readonly name: string }, namespace: string): ReadonlySet<string> {
    return this.#byReference.get(referenceKey(object, namespace)) ?? NONE;
  }

  /** The Rollouts that name an object of this kind. */
  namingKind(kind: GroupKind): ReadonlySet<string> {
    return this.#byKind.get(kindKey(kind))?.rollouts ?? NONE;
  }

  namedKinds(): readonly GroupKind[] {
    return [...this.#byKind.values()].map(({ kind }) => kind);
  }

  /** Whether any Rollout names an object of this kind. */
  names(kind: GroupKind): boolean {
    return this.#byKind.has(kindKey(kind));
  }

  /** Called when the set of kinds has changed. The answer ends that. */
  onKinds(listener: () => void): () => void {
    this.#onKinds.add(listener);
    return () => this.#onKinds.delete(listener);
  }

  /** The Rollout that has this one's workload: of several that name it the oldest. Undefined when it is this one. */
  rivalOf(entry: RolloutEntry): RolloutEntry | undefined {
    const rivals = this.#sharingWorkload(entry).map((key) => this.#entries.get(key));
    return rivals
      .filter((other) => other !== undefined && !other.stored.isDeleting && isBefore(other, entry))
      .sort((a, b) => (a !== undefined && b !== undefined && isBefore(a, b) ? -1 : 1))[0];
  }

  #sharingWorkload({ references, stored, key }: RolloutEntry): string[] {
    const workload = references.find(({ role }) => role === 'workload');
    if (workload === undefined) return [];
    return [...this.naming(workload, stored.namespace)].filter(
      (other) => other !== key && this.#names(other, workload, 'workload'),
    );
  }

  #names(key: string, object: Reference, role: Reference['role']): boolean {
    const references = this.#entries.get(key)?.references ?? [];
    return references.some(
      (ref) => ref.role === role && ref.kind === object.kind && ref.group === object.group && ref.name === object.name,
    );
  }

  #refer(key: string, before: RolloutEntry | undefined, after: RolloutEntry | undefined): void {
    const kinds = this.#byKind.size;
    let isNew = false;
    for (const ref of before?.references ?? []) {
      drop(this.#byReference, referenceKey(ref, before?.stored.namespace ?? ''), key);
      this.#byKind.get(kindKey(ref))?.rollouts.delete(key);
    }
    for (const ref of after?.references ?? []) {
      add(this.#byReference, referenceKey(ref, after?.stored.namespace ?? ''), key);
      if (!isWatched(ref)) continue;
      const known = this.#byKind.get(kindKey(ref));
      isNew ||= known === undefined;
      if (known === undefined) {
        const kind = { group: ref.group, kind: ref.kind };
        this.#byKind.set(kindKey(ref), { kind, rollouts: new Set([key]) });
      } else known.rollouts.add(key);
    }
    for (const ref of before?.references ?? []) {
      if (this.#byKind.get(kindKey(ref))?.rollouts.size === 0) this.#byKind.delete(kindKey(ref));
    }
    if (isNew || this.#byKind.size !== kinds) for (const listener of this.#onKinds) listener();
  }
}

function routingKeys({ references, stored }: RolloutEntry): string[] {
  return references.flatMap(({ role, name }) =>
    role === 'routing' ? [trafficRoutingKey(stored.namespace, name)] : [],
  );
}

const NONE: ReadonlySet<string> = new Set();

/** Older first; of the same second the first in the alphabet, so that everybody agrees. */
function isBefore(a: RolloutEntry, b: RolloutEntry): boolean {
  if (a.stored.createdAt !== b.stored.createdAt) return a.stored.createdAt < b.stored.createdAt;
  return a.key < b.key;
}

function add(map: Map<string, Set<string>>, at: string, key: string): void {
  const set = map.get(at);
  if (set === undefined) map.set(at, new Set([key]));
  else set.add(key);
}

function drop(map: Map<string, Set<string>>, at: string, key: string): void {
  const set = map.get(at);
  set?.delete(key);
  if (set?.size === 0) map.delete(at);
}
