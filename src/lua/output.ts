import { asDouble } from '../json/text.ts';
import { isList, type Json, type JsonList, type JsonMap } from '../json/value.ts';
import { display, toText } from './bytes.ts';
import { Table } from './table.ts';
import { typeName, type Value } from './value.ts';

/** A value that is no JSON. `path` says where it stands, as `spec.http[2].weight`. */
export class ResultFault extends Error {
  override readonly name = 'ResultFault';
}

/** So much of a string is shown in an error. */
const SHOWN_BYTES = 60;

/** So deep may a result be nested: the API server itself refuses objects much shallower than that. */
const DEEPEST = 500;

/**
 * How Lua values go out as JSON, so that what a script did not change comes out as it came in:
 *
 * - a table that was never looked into is the very same value; so is one that was, when nothing in it changed;
 * - an empty table is what it came in as, `[]` or `{}`; one that the script made is `{}` (`json.list()` makes a `[]`);
 * - a null in a map, which scripts see as an absent key, stays unless the script gave that key a value; a null in a
 *   list, which scripts do not see, stays in its place as long as the list has as many items as before;
 * - keys keep their order, new ones come last;
 * - a number that a double cannot hold keeps its digits: at its own key or index while the script sees the same
 *   double there, elsewhere when the script saw no other number of the input as the same double. (A script that
 *   computes this very double gets those digits, too.)
 */
export class Output {
  /** New maps and lists, each with the input that it stands for; undefined for what the script made. */
  readonly made = new Map<Json, Json | undefined>();
  readonly #exactNumber: (double: number) => Json | null | undefined;
  /** What became of each table; undefined while it is being written. */
  readonly #done = new Map<Table, Json | undefined>();
  readonly #path: (string | number)[] = [];

  /** `exactNumber` knows the numbers of the input that a double cannot hold, see Input. */
  constructor(exactNumber: (double: number) => Json | null | undefined) {
    this.#exactNumber = exactNumber;
  }

  /** @throws ResultFault when the value, or something inside it, has no place in JSON. */
  json(value: Value, origin?: Json): Json {
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        return this.#number(value, origin);
      case 'boolean':
        return value;
      case 'undefined':
        return null;
      default:
        if (value instanceof Table) return this.#table(value);
        throw this.#fault('is a function', 'return strings, numbers, booleans and tables only');
    }
  }

  #text(bytes: string): string {
    const text = toText(bytes);
    if (text !== undefined) return text;
    const start = display(bytes.slice(0, SHOWN_BYTES));
    throw this.#fault(`is a string with bytes that are no UTF-8: ${start}`, 'cut strings between characters');
  }

  #number(value: number, origin?: Json): Json {
    if (value === origin) return origin;
    if (typeof origin === 'object' && origin !== null && JSON.isRawJSON(origin) && asDouble(origin) === value) {
      return origin;
    }
    const exact = this.#exactNumber(value);
    if (exact === null) {
      throw this.#fault('is one of several numbers that a script cannot tell apart', 'leave it where it was');
    }
    if (exact !== undefined) return exact;
    if (!Number.isFinite(value)) {
      throw this.#fault(Number.isNaN(value) ? 'is not a number (0/0)' : 'is infinite', 'check what it is divided by');
    }
    return value;
  }

  #table(table: Table): Json {
    if (table.untouched && table.origin !== undefined) return table.origin;
    const done = this.#done.get(table);
    if (done !== undefined) return done;
    if (this.#done.has(table)) throw this.#fault('is a table inside itself', 'put a copy there');
    if (this.#path.length > DEEPEST) throw this.#fault(`is more than ${DEEPEST} tables deep`, 'return a flatter table');
    this.#done.set(table, undefined);
    const made = this.#isList(table) ? this.#list(table) : this.#map(table);
    this.#done.set(table, made);
    if (made !== table.origin) this.made.set(made, table.origin);
    return made;
  }

  #isList(table: Table): boolean {
    if (table.memberCount === 0) return table.length > 0 || table.shape === 'list';
    if (table.length === 0) return false;
    throw this.#fault('is a table with both list items and named keys', 'use either 1…n or names as keys');
  }

  #list(table: Table): JsonList {
    const { items } = table;
    const origin = isList(table.origin) ? table.origin : undefined;
    const before = origin?.includes(null) ? origin.filter((item) => item !== null) : origin;
    let changed = before === undefined || before.length !== items.length;
    const list = items.map((item, i) => {
      this.#path.push(i);
      if (item === undefined) throw this.#fault('is nil inside a list', 'use table.remove to take an item out');
      const was = before?.[i];
      const json = this.json(item, was);
      if (json !== was) changed = true;
      this.#path.pop();
      return json;
    });
    if (!changed && origin !== undefined) return origin;
    if (origin === undefined || before === origin || before?.length !== list.length) return list;
    let next = 0;
    return origin.map((item) => (item === null ? null : (list[next++] ?? null)));
  }

  #map(table: Table): JsonMap {
    const members = new Map<string, Value>();
    table.eachMember((key, value) => members.set(this.#key(key, table), value));
    const origin = table.origin !== undefined && !isList(table.origin) ? table.origin : undefined;
    const map: { [key: string]: Json } = {};
    let changed = origin === undefined;
    for (const key of Object.keys(origin ?? {})) {
      const was = origin?.[key];
      const value = members.get(key);
      if (value === undefined && was !== null) changed = true;
      else {
        const json = value === undefined ? null : this.#member(key, value, was);
        if (json !== was) changed = true;
        put(map, key, json);
        members.delete(key);
      }
    }
    if (!changed && members.size === 0 && origin !== undefined) return origin;
    for (const [key, value] of members) put(map, key, this.#member(key, value, undefined));
    return map;
  }

  #member(key: string, value: Value, was: Json | undefined): Json {
    this.#path.push(key);
    const json = this.json(value, was);
    this.#path.pop();
    return json;
  }

  #key(key: Value, table: Table): string {
    if (typeof key === 'string') return this.#text(key);
    if (typeof key !== 'number') {
      throw this.#fault(`has a ${typeName(key)} as a key`, 'use strings as keys');
    }
    if (Number.isInteger(key) && key > 0 && table.memberCount > 0) {
      throw this.#fault(
        `is a list with holes or with other keys: it has index ${key} but not all before it`,
        'fill 1…n',
      );
    }
    throw this.#fault(`has the number ${key} as a key`, 'use strings as keys, or 1…n for a list');
  }

  #fault(what: string, remedy: string): ResultFault {
    return new ResultFault(`${pathText(this.#path)} ${what}: ${remedy}`);
  }
}

/** Sets a member that may have any name: an assignment to `__proto__` would be lost. */
function put(map: { [key: string]: Json }, key: string, value: Json): void {
  if (key !== '__proto__') map[key] = value;
  else Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
}

const PLAIN = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** So many steps of a path are shown at each end of a longer one. */
const SHOWN = 8;

/** `spec.http[2].match`, with list indexes from 0 as in Kubernetes field paths. */
function pathText(path: readonly (string | number)[]): string {
  if (path.length === 0) return 'the result';
  const steps = path.map((step) =>
    typeof step === 'number' ? `[${step}]` : PLAIN.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`,
  );
  const shown = steps.length > 2 * SHOWN ? [...steps.slice(0, SHOWN), '…', ...steps.slice(-SHOWN)] : steps;
  return shown.join('').replace(/^\./, '');
}
