import type { Json } from '../json/value.ts';
import { type ArithmeticEvent, arithmetic, compareLess } from './arithmetic.ts';
import type { Code } from './compile.ts';
import { execute } from './execute.ts';
import { LimitReached, type Meter } from './limits.ts';
import { nameOf } from './names.ts';
import { Table } from './table.ts';
import { asString, Builtin, isFunction, LuaError, LuaFunction, typeName, Upvalue, type Value } from './value.ts';

/** A call in progress. `pc` is the next instruction, and up to date wherever something may fail or call. */
export type Frame = {
  fn: LuaFunction;
  registers: Value[];
  pc: number;
  readonly caller: Frame | undefined;
  /** The variables of this call that inner functions share, by register. */
  open: Upvalue[] | undefined;
};

/**
 * One run: its globals, its call stack and what it has used. Nothing of it outlives the run, and no two runs share
 * anything but compiled code and the library's functions, which hold no state.
 */
export class Machine {
  readonly meter: Meter;
  /** What errors call the script's own text. */
  readonly scriptName: string;
  readonly globals: Table;
  /** The metatable of strings. */
  readonly stringMetatable: Table;
  /** What `print` was given, one line for each call: for the author of a script, never for results. */
  readonly log: string[] = [];
  /** The numbers of the input that a double cannot hold, by the doubles that the script sees. */
  exactNumber: (double: number) => Json | null | undefined = () => undefined;
  frame: Frame | undefined = undefined;
  depth = 0;
  readonly #numbers = new Map<Value, number>();

  constructor(scriptName: string, meter: Meter) {
    this.scriptName = scriptName;
    this.meter = meter;
    this.globals = new Table(meter);
    this.stringMetatable = new Table(meter);
  }

  /** What `tostring` tells tables and functions apart by. */
  numberOf(value: Value): string {
    const number = this.#numbers.get(value) ?? this.#numbers.size + 1;
    this.#numbers.set(value, number);
    this.meter.entries++;
    return `0x${number.toString(16).padStart(8, '0')}`;
  }

  /** A new table of this run. */
  table(): Table {
    return new Table(this.meter);
  }

  /** A function of compiled code with the given environment as its globals. */
  load(code: Code, environment: Value = this.globals): LuaFunction {
    return new LuaFunction(
      code,
      code.upvalues.map(() => new Upvalue([environment], 0)),
    );
  }

  /** Calls any value. @throws LuaError, LimitReached */
  call(callee: Value, args: Value[]): Value[] {
    if (callee instanceof LuaFunction) return this.enter(callee, args, 0, args.length);
    if (callee instanceof Builtin) return this.callBuiltin(callee, args);
    const handler = this.metamethod(callee, '__call');
    if (handler === undefined) throw this.error(`attempt to call a ${typeName(callee)} value${this.#named(callee)}`);
    this.#deeper();
    const results = this.call(handler, [callee, ...args]);
    this.depth--;
    return results;
  }

  callBuiltin(callee: Builtin, args: Value[]): Value[] {
    this.#deeper();
    const results = callee.call(args, this);
    this.depth--;
    return results;
  }

  /** Calls a Lua function with `count` arguments that stand in `source` from `start` on. */
  enter(fn: LuaFunction, source: Value[], start: number, count: number): Value[] {
    this.#deeper();
    const frame: Frame = { fn, registers: [], pc: 0, caller: this.frame, open: undefined };
    this.frame = frame;
    const results = execute(this, frame, source, start, count);
    this.frame = frame.caller;
    this.depth--;
    return results;
  }

  #deeper(): void {
    if (++this.depth > this.meter.limits.depth) {
      throw new LimitReached(`stopped: its calls are nested more than ${this.meter.limits.depth} deep`);
    }
    if (--this.meter.fuel < 0) this.refill();
  }

  /** Takes account of work that is no step by itself: a piece of a string, an argument of a long list. */
  spend(steps: number): void {
    this.meter.fuel -= steps;
    if (this.meter.fuel < 0) this.refill();
  }

  /** Looks at the limits when the steps until the next look are used up. */
  refill(): void {
    this.meter.refill(this.line() ?? 0);
  }

  /** What `pcall` does: runs, and gives back a Lua error instead of throwing it. Limits are not caught. */
  attempt(run: () => Value[]): { results: Value[] } | { error: Value } {
    const { frame, depth } = this;
    try {
      return { results: run() };
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      this.frame = frame;
      this.depth = depth;
      return { error: error.value };
    }
  }

  /** `object[key]`, metatables included. */
  index(object: Value, key: Value): Value {
    let here = object;
    for (let turn = 0; turn < CHAIN; turn++) {
      if (here instanceof Table) {
        const value = here.get(key);
        if (value !== undefined || here.metatable === undefined) return value;
        const handler = here.metatable.get('__index');
        if (handler === undefined) return undefined;
        if (isFunction(handler)) return this.call(handler, [here, key])[0];
        here = handler;
        continue;
      }
      const handler = this.metamethod(here, '__index');
      if (handler === undefined) throw this.#cannotIndex(here, key);
      if (isFunction(handler)) return this.call(handler, [here, key])[0];
      here = handler;
    }
    throw this.error("'__index' chain too long; is it a loop?");
  }

  /** `object[key] = value`, metatables included. */
  setIndex(object: Value, key: Value, value: Value): void {
    let here = object;
    for (let turn = 0; turn < CHAIN; turn++) {
      let handler: Value;
      if (here instanceof Table) {
        handler = here.metatable?.get('__newindex');
        if (handler === undefined || here.get(key) !== undefined) {
          this.rawSet(here, key, value);
          return;
        }
      } else {
        handler = this.metamethod(here, '__newindex');
        if (handler === undefined) throw this.#cannotIndex(here, key);
      }
      if (isFunction(handler)) {
        this.call(handler, [here, key, value]);
        return;
      }
      here = handler;
    }
    throw this.error("'__newindex' chain too long; is it a loop?");
  }

  rawSet(table: Table, key: Value, value: Value): void {
    if (key === undefined) throw this.error('table index is nil');
    if (Number.isNaN(key)) throw this.error('table index is NaN');
    table.set(key, value);
  }

  #cannotIndex(object: Value, key: Value): LuaError {
    const name = this.#named(object);
    const which = name === '' && typeof key === 'string' ? ` (looking for '${key}')` : name;
    return this.error(`attempt to index a ${typeName(object)} value${which}`);
  }

  #named(value: Value): string {
    return this.frame === undefined ? '' : nameOf(this.frame, value);
  }

  /** The metatable's entry for an event, or nil. */
  metamethod(value: Value, event: string): Value {
    if (value instanceof Table) return value.metatable?.get(event);
    return typeof value === 'string' ? this.stringMetatable.get(event) : undefined;
  }

  /** An operator on values that are not both numbers: numerals in strings count, then metatables are asked. */
  arithmetic(event: ArithmeticEvent, left: Value, right: Value): Value {
    const result = arithmetic(event, left, right);
    if (result !== undefined) return result;
    const handler = this.metamethod(left, event) ?? this.metamethod(right, event);
    if (handler !== undefined) return this.call(handler, [left, right])[0];
    throw this.#cannotCompute(event, left, right);
  }

  #cannotCompute(event: ArithmeticEvent, left: Value, right: Value): LuaError {
    const bad = arithmetic('__add', left, 1) === undefined ? left : right;
    const verb = BITWISE.has(event) ? 'perform bitwise operation on' : 'perform arithmetic on';
    if (typeof bad === 'number') return this.error(`number${this.#named(bad)} has no integer representation`);
    return this.error(`attempt to ${verb} a ${typeName(bad)} value${this.#named(bad)}`);
  }

  /** `left .. right` for a pair that is not simply two strings or numbers. */
  concat(left: Value, right: Value): Value {
    const a = asString(left);
    const b = asString(right);
    if (a !== undefined && b !== undefined) {
      this.meter.string(a.length + b.length);
      return a + b;
    }
    const handler = this.metamethod(left, '__concat') ?? this.metamethod(right, '__concat');
    if (handler !== undefined) return this.call(handler, [left, right])[0];
    const bad = a === undefined ? left : right;
    throw this.error(`attempt to concatenate a ${typeName(bad)} value${this.#named(bad)}`);
  }

  length(value: Value): Value {
    if (typeof value === 'string') return value.length;
    const handler = this.metamethod(value, '__len');
    if (handler !== undefined) return this.call(handler, [value])[0];
    if (value instanceof Table) return value.length;
    throw this.error(`attempt to get length of a ${typeName(value)} value${this.#named(value)}`);
  }

  equals(left: Value, right: Value): boolean {
    if (left === right) return true;
    if (!(left instanceof Table) || !(right instanceof Table)) return false;
    const handler = this.metamethod(left, '__eq') ?? this.metamethod(right, '__eq');
    return handler !== undefined && truthy(this.call(handler, [left, right])[0]);
  }

  lessThan(left: Value, right: Value): boolean {
    const result = compareLess(left, right);
    if (result !== undefined) return result;
    const handler = this.metamethod(left, '__lt') ?? this.metamethod(right, '__lt');
    if (handler !== undefined) return truthy(this.call(handler, [left, right])[0]);
    throw this.#cannotCompare(left, right);
  }

  lessOrEqual(left: Value, right: Value): boolean {
    if (typeof left === 'number' && typeof right === 'number') return left <= right;
    if (typeof left === 'string' && typeof right === 'string') return left <= right;
    const handler = this.metamethod(left, '__le') ?? this.metamethod(right, '__le');
    if (handler !== undefined) return truthy(this.call(handler, [left, right])[0]);
    const inverse = this.metamethod(left, '__lt') ?? this.metamethod(right, '__lt');
    if (inverse !== undefined) return !truthy(this.call(inverse, [right, left])[0]);
    throw this.#cannotCompare(left, right);
  }

  #cannotCompare(left: Value, right: Value): LuaError {
    const [a, b] = [typeName(left), typeName(right)];
    return this.error(a === b ? `attempt to compare two ${a} values` : `attempt to compare ${a} with ${b}`);
  }

  /** An error at the place that is running: `level` 1 is the innermost Lua function, 2 the one that called it. */
  error(message: string, level = 1): LuaError {
    return new LuaError(this.where(level) + message, this.line(level));
  }

  /** `name:line: ` of a Lua function in the call stack, or nothing when there are not that many. */
  where(level: number): string {
    const frame = this.frameAt(level);
    if (frame === undefined) return '';
    const { code } = frame.fn;
    return `${code.chunk ?? this.scriptName}:${code.lines[frame.pc - 1] ?? '?'}: `;
  }

  /** The Lua function at a level of the call stack, 1 being the innermost. */
  frameAt(level: number): Frame | undefined {
    let { frame } = this;
    for (let i = 1; i < level; i++) frame = frame?.caller;
    return frame;
  }

  /** The line of the script's own text that is running, be it inside a call to a module. */
  line(level = 1): number | undefined {
    for (let frame = this.frameAt(level); frame !== undefined; frame = frame.caller) {
      const { code } = frame.fn;
      if (code.chunk === undefined) return code.lines[frame.pc - 1];
    }
    return undefined;
  }
}

/** So many `__index` tables in a row are taken for a loop (LUAI's MAXTAGLOOP). */
const CHAIN = 2_000;

const BITWISE: ReadonlySet<string> = new Set(['__band', '__bor', '__bxor', '__shl', '__shr', '__bnot']);

/** All but nil and false. */
export function truthy(value: Value): boolean {
  return value !== undefined && value !== false;
}
