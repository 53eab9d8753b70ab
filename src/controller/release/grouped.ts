import type { Change } from '../watcher.ts';

/** Watched objects by what they belong to, so that looking for those of one release does not cost what the namespace holds. */
export class Grouped<T extends { readonly name: string }> {
  readonly #groups = new Map<string, Map<string, T>>();
  readonly #groupOf: (object: T) => string;

  /** @param groupOf what an object belongs to; it may change over its life. */
  constructor(groupOf: (object: T) => string) {
    this.#groupOf = groupOf;
  }

  /** Takes a change in, as a watch tells it. */
  take({ before, after }: Change<T>): void {
    if (before !== undefined) this.#drop(before);
    if (after === undefined) return;
    const group = this.#groupOf(after);
    const known = this.#groups.get(group) ?? new Map<string, T>();
    this.#groups.set(group, known.set(after.name, after));
  }

  of(group: string): readonly T[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  #drop(object: T): void {
    const group = this.#groupOf(object);
    const known = this.#groups.get(group);
    known?.delete(object.name);
    if (known?.size === 0) this.#groups.delete(group);
  }
}
