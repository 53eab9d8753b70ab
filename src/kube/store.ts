import type { ObjectName } from './resource.ts';

/** Names an object among those of its kind: `namespace/name`, or `name` of a cluster-scoped kind. */
export type ObjectKey = string;

export function keyOf({ namespace, name }: ObjectName): ObjectKey {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The name that a key stands for. Names of objects hold no `/`. */
export function nameOfKey(key: ObjectKey): ObjectName {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/**
 * What became of one object. `before` is undefined for one that was not known, `after` for one that is gone. Where an
 * object was deleted and made again while nobody looked, both are there, of different uid.
 */
export type Change<T> = { readonly key: ObjectKey; readonly before: T | undefined; readonly after: T | undefined };

/** One object as it came: uid and resourceVersion tell whether it is still the same, `value` is what is kept of it. */
export type Entry<T> = { readonly uid: string; readonly resourceVersion: string; readonly value: T };

/** Keys of objects by a value that a function reads from them. */
export type Index = {
  /** The keys of the objects under this value, in no order. */
  keys(value: string): ReadonlySet<ObjectKey>;
  /** All values under which there is an object. */
  values(): Iterable<string>;
};

const NONE: ReadonlySet<ObjectKey> = new Set();

/**
 * The objects of one kind, in memory. One reflector fills it (`put`, `remove`, `retain`), everybody else reads.
 * Listeners and indexes see each change once, in the order of the changes; the store has changed already when a listener
 * is called. What a listener throws goes to whoever fills the store: it is a fault of ours.
 */
export class Store<T> {
  readonly #entries = new Map<ObjectKey, Entry<T>>();
  readonly #indexes: ((change: Change<T>) => void)[] = [];
  readonly #listeners = new Set<(change: Change<T>) => void>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.#entries.get(key)?.value;
  }

  /** With uid and resourceVersion, for preconditions of a write. */
  entry(key: ObjectKey): Entry<T> | undefined {
    return this.#entries.get(key);
  }

  keys(): Iterable<ObjectKey> {
    return this.#entries.keys();
  }

  *values(): Generator<T> {
    for (const { value } of this.#entries.values()) yield value;
  }

  onChange(listener: (change: Change<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keeps an index of the objects that are here and will come; `valuesOf` is pure and may name several or none. */
  index(valuesOf: (value: T, key: ObjectKey) => Iterable<string>): Index {
    const sets = new Map<string, Set<ObjectKey>>();
    const update = ({ key, before, after }: Change<T>): void => {
      if (before !== undefined) for (const value of valuesOf(before, key)) take(sets, value, key);
      if (after !== undefined) for (const value of valuesOf(after, key)) place(sets, value, key);
    };
    for (const [key, { value }] of this.#entries) update({ key, before: undefined, after: value });
    this.#indexes.push(update);
    return { keys: (value) => sets.get(value) ?? NONE, values: () => sets.keys() };
  }

  /** Takes an object in. The one that is known already, by uid and resourceVersion, is no change. */
  put(key: ObjectKey, entry: Entry<T>): void {
    const before = this.#entries.get(key);
    if (before?.uid === entry.uid && before.resourceVersion === entry.resourceVersion) return;
    this.#entries.set(key, entry);
    this.#tell({ key, before: before?.value, after: entry.value });
  }

  remove(key: ObjectKey): void {
    const before = this.#entries.get(key);
    if (before === undefined) return;
    this.#entries.delete(key);
    this.#tell({ key, before: before.value, after: undefined });
  }

  /** Removes every object but these: the end of a list. */
  retain(keys: ReadonlySet<ObjectKey>): void {
    for (const key of [...this.#entries.keys()]) if (!keys.has(key)) this.remove(key);
  }

  #tell(change: Change<T>): void {
    for (const update of this.#indexes) update(change);
    for (const listener of this.#listeners) listener(change);
  }
}

function place(sets: Map<string, Set<ObjectKey>>, value: string, key: ObjectKey): void {
  const keys = sets.get(value);
  if (keys === undefined) sets.set(value, new Set([key]));
  else keys.add(key);
}

function take(sets: Map<string, Set<ObjectKey>>, value: string, key: ObjectKey): void {
  const keys = sets.get(value);
  keys?.delete(key);
  if (keys?.size === 0) sets.delete(value);
}
