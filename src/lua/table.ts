import type { JsonList, JsonMap } from '../json/value.ts';
import type { Meter } from './limits.ts';
import type { Value } from './value.ts';

/** Above this many keys a map gets an index; below, looking through the keys is faster than keeping one. */
const INDEXED = 8;

const NONE: Value[] = [];

/**
 * A Lua table: a list part for the keys 1…n and a map part for all others, in the order in which they were added.
 *
 * A table that a JSON value came in as starts out empty and remembers that value as its `origin`. Any look inside
 * fills it, one level deep: its members that are maps or lists become such empty tables themselves. Every access goes
 * through the methods below, so no script can tell the difference.
 */
export class Table {
  metatable: Table | undefined = undefined;
  /** The JSON value that this table came in as; undefined for a table that a script made. */
  readonly origin: JsonList | JsonMap | undefined;
  /** What an empty table is written as: known for what came from JSON, or said by `json.list()`. */
  readonly shape: 'list' | 'map' | undefined;
  /** Fills this table from its origin; undefined once that is done, and for tables without origin. */
  #pending: ((table: Table) => void) | undefined;
  readonly #meter: Meter;
  #list: Value[] = NONE;
  #keys: Value[] = NONE;
  #values: Value[] = NONE;
  #index: Map<Value, number> | undefined = undefined;
  #removed = 0;

  constructor(meter: Meter, origin?: JsonList | JsonMap, fill?: (table: Table) => void, shape?: 'list' | 'map') {
    this.#meter = meter;
    this.origin = origin;
    this.#pending = fill;
    this.shape = shape;
    meter.entries++;
  }

  /** True until something looks inside. */
  get untouched(): boolean {
    return this.#pending !== undefined;
  }

  #fill(): void {
    const fill = this.#pending;
    this.#pending = undefined;
    fill?.(this);
  }

  get(key: Value): Value {
    if (this.#pending !== undefined) this.#fill();
    if (typeof key === 'number') {
      const list = this.#list;
      if (key > 0 && key <= list.length && Number.isInteger(key)) return list[key - 1];
    }
    const at = this.#find(key);
    return at < 0 ? undefined : this.#values[at];
  }

  #find(key: Value): number {
    if (this.#index !== undefined) return this.#index.get(key) ?? -1;
    const keys = this.#keys;
    for (let i = 0; i < keys.length; i++) {
      if (keys[i] === key) return i;
    }
    return -1;
  }

  /** Sets a member; undefined removes it. The caller has refused nil and NaN as keys. */
  set(key: Value, value: Value): void {
    if (this.#pending !== undefined) this.#fill();
    if (typeof key === 'number') {
      const size = this.#list.length;
      if (key > 0 && key <= size && Number.isInteger(key)) {
        this.#list[key - 1] = value;
        if (value === undefined && key === size) this.#trim();
        return;
      }
      if (key === size + 1) {
        this.#append(key, value);
        return;
      }
    }
    this.#setMember(key, value);
  }

  #append(key: number, value: Value): void {
    if (this.#keys.length > 0) this.#forget(key);
    if (value === undefined) return;
    this.#meter.entries++;
    if (this.#list === NONE) this.#list = [];
    this.#list.push(value);
    if (this.#keys.length > this.#removed) this.#pullUp();
  }

  /** Moves members that now continue the list into it. Nothing of their keys stays: a walk goes by the list from here. */
  #pullUp(): void {
    for (;;) {
      const key = this.#list.length + 1;
      const at = this.#find(key);
      const value = at < 0 ? undefined : this.#values[at];
      if (value === undefined) return;
      this.#forget(key);
      this.#list.push(value);
    }
  }

  /** Takes a key out of the members, its place included. */
  #forget(key: number): void {
    const at = this.#find(key);
    if (at < 0) return;
    if (this.#values[at] !== undefined) this.#removed++;
    this.#keys[at] = undefined;
    this.#values[at] = undefined;
    this.#index?.delete(key);
  }

  /** Drops what is nil at the end of the list, so that its length is a border. */
  #trim(): void {
    const list = this.#list;
    while (list.length > 0 && list[list.length - 1] === undefined) list.pop();
  }

  /** A removed member keeps its place (its value is undefined), so that a traversal can go on from its key. */
  #setMember(key: Value, value: Value): void {
    const at = this.#find(key);
    if (at >= 0) {
      const before = this.#values[at];
      this.#values[at] = value;
      if (before === undefined && value !== undefined) this.#removed--;
      if (before !== undefined && value === undefined) this.#removed++;
    } else if (value !== undefined) {
      this.#add(key, value);
    }
  }

  #add(key: Value, value: Value): void {
    this.#meter.entries++;
    if (this.#keys === NONE) {
      this.#keys = [];
      this.#values = [];
    } else if (this.#removed > INDEXED && this.#removed * 2 > this.#keys.length) {
      this.#compact();
    }
    this.#keys.push(key);
    this.#values.push(value);
    if (this.#index !== undefined) this.#index.set(key, this.#keys.length - 1);
    else if (this.#keys.length > INDEXED) this.#reindex();
  }

  #compact(): void {
    const keep = this.#keys.map((_, i) => this.#values[i] !== undefined);
    this.#keys = this.#keys.filter((_, i) => keep[i]);
    this.#values = this.#values.filter((value) => value !== undefined);
    this.#removed = 0;
    if (this.#index !== undefined) this.#reindex();
  }

  #reindex(): void {
    this.#index = new Map(this.#keys.map((key, i) => [key, i]));
  }

  /** A border as `#` gives it: some n with a value at n and none at n + 1. */
  get length(): number {
    if (this.#pending !== undefined) this.#fill();
    return this.#list.length;
  }

  /** Where a traversal goes on after `key` (nil: where it starts), or undefined when `key` was never in the table. */
  cursorAfter(key: Value): number | undefined {
    if (this.#pending !== undefined) this.#fill();
    if (key === undefined) return 0;
    const size = this.#list.length;
    if (typeof key === 'number' && key > 0 && key <= size && Number.isInteger(key)) return key;
    const at = this.#find(key);
    if (at >= 0) return size + at + 1;
    // A list that was emptied from its end while it was walked: go on behind it.
    return typeof key === 'number' && key > size && Number.isInteger(key) ? size : undefined;
  }

  /** The first place at or after `cursor` that holds something, or -1; {@link keyAt} and {@link valueAt} read it. */
  occupied(cursor: number): number {
    if (this.#pending !== undefined) this.#fill();
    const list = this.#list;
    const values = this.#values;
    const end = list.length + values.length;
    for (let at = cursor; at < end; at++) {
      if ((at < list.length ? list[at] : values[at - list.length]) !== undefined) return at;
    }
    return -1;
  }

  keyAt(cursor: number): Value {
    return cursor < this.#list.length ? cursor + 1 : this.#keys[cursor - this.#list.length];
  }

  valueAt(cursor: number): Value {
    return cursor < this.#list.length ? this.#list[cursor] : this.#values[cursor - this.#list.length];
  }

  /** The list part itself, holes included: for reading, and for sorting in place. */
  get items(): Value[] {
    if (this.#pending !== undefined) this.#fill();
    return this.#list;
  }

  /** How many members there are besides the list part. */
  get memberCount(): number {
    if (this.#pending !== undefined) this.#fill();
    return this.#keys.length - this.#removed;
  }

  /** Calls `visit` for each member besides the list part, in the order of their keys' first appearance. */
  eachMember(visit: (key: Value, value: Value) => void): void {
    if (this.#pending !== undefined) this.#fill();
    const keys = this.#keys;
    for (let i = 0; i < keys.length; i++) {
      const value = this.#values[i];
      if (value !== undefined) visit(keys[i], value);
    }
  }

  /** Sets the items from `start` on, holes included, as a list in source or a call's results have them. */
  setItems(start: number, values: Value[]): void {
    if (start !== this.length + 1 || this.#keys.length > 0) {
      values.forEach((value, i) => {
        this.set(start + i, value);
      });
      return;
    }
    this.#meter.entries += values.length;
    this.#list = this.#list === NONE ? values : this.#list.concat(values);
    this.#trim();
  }

  /** Inserts before position `at` (1…n + 1) of the list, as `table.insert` does. */
  insertAt(at: number, value: Value): void {
    const size = this.length;
    if (at === size + 1 || value === undefined || this.#keys.length > 0) {
      for (let i = size; i >= at; i--) this.set(i + 1, this.get(i));
      this.set(at, value);
      return;
    }
    this.#meter.entries++;
    this.#list.splice(at - 1, 0, value);
  }

  /** Takes position `at` (1…n) out of the list, as `table.remove` does. */
  removeAt(at: number): Value {
    if (this.#pending !== undefined) this.#fill();
    const [value] = this.#list.splice(at - 1, 1);
    this.#trim();
    return value;
  }

  /** For filling from JSON: takes the lists over as they are. Keys are unique, values never undefined. */
  load(list: Value[], keys: Value[], values: Value[]): void {
    this.#list = list.length === 0 ? NONE : list;
    this.#keys = keys.length === 0 ? NONE : keys;
    this.#values = values.length === 0 ? NONE : values;
    this.#removed = 0;
    if (keys.length > INDEXED) this.#reindex();
    this.#meter.entries += list.length + keys.length;
  }
}
