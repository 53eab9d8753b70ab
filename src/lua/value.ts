import { display } from './bytes.ts';
import type { Code } from './compile.ts';
import type { Machine } from './machine.ts';
import { numberText } from './number.ts';
import { Table } from './table.ts';

/** A Lua value. nil is undefined, a string is a byte string (see bytes.ts), every number is a double. */
export type Value = undefined | boolean | number | string | Table | LuaFunction | Builtin;

/** A variable that a function shares with the function around it: a register of that one's frame, until it is closed. */
export class Upvalue {
  registers: Value[];
  index: number;

  constructor(registers: Value[], index: number) {
    this.registers = registers;
    this.index = index;
  }

  get(): Value {
    return this.registers[this.index];
  }

  set(value: Value): void {
    this.registers[this.index] = value;
  }

  /** Ends the sharing of the register: from here on the variable lives on its own. */
  close(): void {
    this.registers = [this.get()];
    this.index = 0;
  }
}

/** A function written in Lua. */
export class LuaFunction {
  readonly code: Code;
  readonly upvalues: Upvalue[];

  constructor(code: Code, upvalues: Upvalue[]) {
    this.code = code;
    this.upvalues = upvalues;
  }
}

/** A function of the library: arguments in, results out. Stateless but for what it closes over in one run. */
export class Builtin {
  readonly title: string;
  readonly call: (args: Value[], machine: Machine) => Value[];

  constructor(title: string, call: (args: Value[], machine: Machine) => Value[]) {
    this.title = title;
    this.call = call;
  }
}

/** So much of what a script says is shown: an answer of admission is read by people. */
const LONGEST_MESSAGE = 2_000;

/** An error inside a script, with the value that `error` was given: what `pcall` catches. */
export class LuaError extends Error {
  override readonly name = 'LuaError';
  readonly value: Value;
  /** The line of the script's own text (not a module's) that it was raised at, where known. */
  readonly line: number | undefined;

  constructor(value: Value, line: number | undefined) {
    super(typeof value === 'string' ? display(value.slice(0, LONGEST_MESSAGE)) : `(a ${typeName(value)} value)`);
    this.value = value;
    this.line = line;
  }
}

/** The name that `type` gives. */
export function typeName(value: Value): string {
  if (value === undefined) return 'nil';
  if (typeof value !== 'object') return typeof value;
  return value instanceof Table ? 'table' : 'function';
}

export function isFunction(value: Value): value is LuaFunction | Builtin {
  return value instanceof LuaFunction || value instanceof Builtin;
}

/** A string, or a number as its text; undefined for everything else. */
export function asString(value: Value): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? numberText(value) : undefined;
}
