import { equal } from '../json/equal.ts';
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
  #sawExact = false;
  #digits: { readonly of: Map<number, Json | null>; readonly upTo: number } = { of: new Map(), upTo: 0 };
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
    if (JSON.isRawJSON(json)) {
      this.#sawExact = true;
      return asDouble(json);
    }
    return new Table(this.#meter, json, this.#fill, 'map');
  }

  /**
   * The number of the input that a script saw as this double, when that is one which a double cannot hold. Undefined
   * when there is none, null when the script saw several different numbers as this double.
   */
  readonly exactNumber = (double: number): Json | null | undefined => {
    if (!this.#sawExact) return undefined;
    if (this.#digits.upTo !== this.read.length) this.#digits = { of: numbersIn(this.read), upTo: this.read.length };
    const found = this.#digits.of.get(double);
    return typeof found === 'number' ? undefined : found;
  };

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

/** All numbers that stand directly in these maps and lists, by their doubles; null for what is not one number. */
function numbersIn(read: readonly (JsonList | JsonMap)[]): Map<number, Json | null> {
  const numbers = new Map<number, Json | null>();
  for (const json of read.flatMap((origin) => Object.values(origin))) {
    const exact = typeof json === 'object' && json !== null && JSON.isRawJSON(json);
    if (!exact && typeof json !== 'number') continue;
    const double = asDouble(json);
    const before = numbers.get(double);
    numbers.set(double, before === undefined || equal(before, json) ? json : null);
  }
  return numbers;
}
