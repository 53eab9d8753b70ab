import { asDouble } from '../json/text.ts';
import { isList, type Json, type JsonList, type JsonMap } from '../json/value.ts';
import { toBytes } from './bytes.ts';
import type { Meter } from './limits.ts';
import { Table } from './table.ts';
import type { Value } from './value.ts';

/** How the input of one run comes in: maps and lists as tables that fill themselves, everything else at once. */
export class Input {
  /** The maps and lists that the script has looked inside. */
  readonly read: (JsonList | JsonMap)[] = [];
  /** The numbers that a double cannot hold, by the double that the script sees; null where two have the same double. */
  readonly exact = new Map<number, Json | null>();
  readonly #meter: Meter;
  readonly #fill = (table: Table) => this.#fillOneLevel(table);

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /** A JSON value as a Lua value. null is nil. */
  value(json: Json): Value {
    if (typeof json === 'string') return toBytes(json);
    if (typeof json !== 'object') return json;
    if (json === null) return undefined;
    if (isList(json)) return new Table(this.#meter, json, this.#fill, 'list');
    if (JSON.isRawJSON(json)) return this.#exactNumber(json);
    return new Table(this.#meter, json, this.#fill, 'map');
  }

  #exactNumber(number: Json & { readonly rawJSON: string }): number {
    const double = asDouble(number);
    const before = this.exact.get(double);
    const same = before === undefined || (before !== null && sameDigits(before, number));
    this.exact.set(double, same ? number : null);
    return double;
  }

  #fillOneLevel(table: Table): void {
    const { origin } = table;
    if (origin === undefined) return;
    this.read.push(origin);
    if (isList(origin)) {
      const items: Value[] = [];
      for (const item of origin) if (item !== null) items.push(this.value(item));
      table.load(items, [], []);
      return;
    }
    const keys: Value[] = [];
    const values: Value[] = [];
    for (const key of Object.keys(origin)) {
      const value = origin[key];
      if (value === null || value === undefined) continue;
      keys.push(toBytes(key));
      values.push(this.value(value));
    }
    table.load([], keys, values);
  }
}

function sameDigits(a: Json, b: { readonly rawJSON: string }): boolean {
  return JSON.isRawJSON(a) && a.rawJSON === b.rawJSON;
}
