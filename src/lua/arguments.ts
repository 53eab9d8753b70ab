import { asNumber } from './arithmetic.ts';
import type { Machine } from './machine.ts';
import { Table } from './table.ts';
import { asString, isFunction, type LuaError, typeName, type Value } from './value.ts';

/** Reads the arguments of one call to a library function; what does not fit is an error that names function and number. */
export class Arguments {
  readonly values: readonly Value[];
  readonly machine: Machine;
  readonly #title: string;

  constructor(title: string, values: readonly Value[], machine: Machine) {
    this.#title = title;
    this.values = values;
    this.machine = machine;
  }

  fault(position: number, problem: string): LuaError {
    return this.machine.error(`bad argument #${position} to '${this.#title}' (${problem})`);
  }

  #wrongType(position: number, wanted: string): LuaError {
    const given = this.values.length < position ? 'no value' : typeName(this.values[position - 1]);
    return this.fault(position, `${wanted} expected, got ${given}`);
  }

  any(position: number): Value {
    if (this.values.length < position) throw this.fault(position, 'value expected');
    return this.values[position - 1];
  }

  table(position: number): Table {
    const value = this.values[position - 1];
    if (value instanceof Table) return value;
    throw this.#wrongType(position, 'table');
  }

  /** A string, or a number as its text. */
  string(position: number, otherwise?: string): string {
    const value = this.values[position - 1];
    if (value === undefined && otherwise !== undefined) return otherwise;
    const text = asString(value);
    if (text !== undefined) return text;
    throw this.#wrongType(position, 'string');
  }

  number(position: number, otherwise?: number): number {
    const value = this.values[position - 1];
    if (value === undefined && otherwise !== undefined) return otherwise;
    const number = asNumber(value);
    if (number !== undefined) return number;
    throw this.#wrongType(position, 'number');
  }

  /**
   * A number without its fraction, as Lua 5.1 takes it where 5.3 would refuse 2.5. Kept to where counting by one works,
   * so that no loop over such numbers stands still.
   */
  integer(position: number, otherwise?: number): number {
    const number = Math.trunc(this.number(position, otherwise));
    if (Number.isNaN(number)) return 0;
    return Math.min(Math.max(number, -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  }

  function(position: number): Value {
    const value = this.values[position - 1];
    if (isFunction(value)) return value;
    throw this.#wrongType(position, 'function');
  }
}
